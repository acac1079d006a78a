#!/bin/sh
# Holds the namespaces of one host of a cluster: hold.sh NAME FOLDER SHARED...   (run by unshare, see hosts.py)
# Mounts what is the host's own, says "ready", and stays as the first process of its PID namespace.
set -eu
name=$1 folder=$2
shift 2
mount --make-rprivate /
hostname "$name"
mount -t proc proc /proc
mount -t tmpfs -o mode=1777 tutti-cluster /dev/shm
# /tmp is made beside, so that what is shared below it can be brought along.
mkdir -p "$folder/tmp"
mount -t tmpfs -o mode=1777 tutti-cluster "$folder/tmp"
for path in "$@"; do
  case $path in
    /tmp/*)
      mkdir -p "$folder/tmp/${path#/tmp/}"
      mount --bind "$path" "$folder/tmp/${path#/tmp/}"
      ;;
  esac
done
mount --rbind "$folder/tmp" /tmp
mount --bind "$folder/hosts" /etc/hosts
echo 1 >/proc/sys/net/ipv6/conf/all/disable_ipv6
ip link set lo up
echo ready
# Waits for the end of its input, which nobody writes to: the launcher's end is the host's.
exec python3 -c '
import os, signal
signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # whatever loses its parent here is reaped by the kernel
os.read(0, 1)'
