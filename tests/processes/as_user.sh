#!/usr/bin/env bash
# Runs a test as a user without privileges: what works for root alone (opening any segment, reading any process's
# memory) must not be what a test relies on. Run by an ordinary user, the test simply runs.
#
#   as_user.sh BUILD SOURCE COMMAND ARGS...
#
# Where `nobody` cannot reach the folders (a home of mode 0700 above them), what the test needs is copied out of them.
set -euo pipefail
build=$1 source=$2
shift 2

if [ "$(id -u)" != 0 ]; then exec "$@"; fi

# The test runs in a folder of its own, so its files are named in full.
named=()
for argument in "$@"; do
  if [ -e "$argument" ]; then argument=$(realpath -s "$argument"); fi
  named+=("$argument")
done
set -- "${named[@]}"

room=$(mktemp -d /tmp/tutti-as-user.XXXXXX)
trap 'rm -rf "$room"' EXIT
chown nobody "$room"

# The interpreter and tools of root's own home are not nobody's.
as_nobody() {
  runuser -u nobody -- env HOME="$room" TMPDIR="$room" PATH=/usr/local/bin:/usr/bin:/bin "$@"
}

reachable() {
  as_nobody test -r "$build/libtutti.so.0" && as_nobody test -r "$source/meson.build"
}

if ! reachable; then
  mkdir "$room/build" "$room/source"
  tar -C "$build" --exclude='*.p' --exclude=meson-logs --exclude=peers -cf - . | tar -C "$room/build" -xf -
  tar -C "$source" --exclude='./build*' --exclude=./.git -cf - . | tar -C "$room/source" -xf -
  chmod -R a+rX "$room/build" "$room/source"
  moved=()
  for argument in "$@"; do
    # The build folder may lie inside the source tree: it is the longer name, so it goes first.
    argument=${argument//"$build"/"$room/build"}
    moved+=("${argument//"$source"/"$room/source"}")
  done
  set -- "${moved[@]}"
fi
cd "$room"
# An interpreter of root's own is not nobody's: the system's takes its place.
if ! as_nobody test -x "$1"; then set -- "$(basename "$1")" "${@:2}"; fi
as_nobody "$@"
