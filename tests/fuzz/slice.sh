#!/bin/sh
# One bounded slice of fuzzing: TARGET runs for SECONDS on the files of SEEDS and what it makes of them. What broke it is
# left in the folder where this was started, as crash-..., timeout-... or oom-...
# A single input may take 100 s of the clock: it is a second of work at most, but machines that check are busy.
# Usage: slice.sh TARGET SECONDS DICTIONARY SEEDS...
set -eu
target=$1 seconds=$2 dictionary=$3
shift 3
found=$(mktemp -d)
trap 'rm -rf "$found"' EXIT
"$target" -max_total_time="$seconds" -timeout=100 -rss_limit_mb=2048 -max_len=16384 -dict="$dictionary" \
  -artifact_prefix="$PWD/" -print_final_stats=1 "$found" "$@" 2>&1 | tail -n 40 >"$found.log" && status=0 || status=$?
cat "$found.log"
grep -q '^stat::number_of_executed_units' "$found.log" || status=1
if grep -q 'ERROR: \|SUMMARY: ' "$found.log"; then status=1; fi
rm -f "$found.log"
exit "$status"
