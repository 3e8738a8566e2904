#!/usr/bin/env bash
# `make bench`: how fast, how small, beside whatever of docker.io, podman and runc is installed. bench.sh BUILD [RUNS]
#
# Everything is measured in one run, in turns (ours, theirs, ours, theirs …), so that a machine whose speed drifts treats all
# alike; the table shows medians and ratios of medians. The floor is what the kernel itself asks for a container: clone
# with the namespaces, mount an overlay, pivot_root, exec (tests/payload/floor.c). Results go to BUILD/bench/ as CSV and SVG.
set -u
build=$(cd "$1" && pwd)
runs=${2:-${BENCH_RUNS:-21}}
cd "$(dirname "$0")/../.." || exit 2
export PATH=$build/bin:$PATH
out=$build/bench
mkdir -p "$out"
[ "$(id -u)" = 0 ] || { echo "make bench needs root" >&2; exit 1; }
exec python3 tests/bench/bench.py "$build" "$runs" "$out"
