#!/bin/sh
# run.sh PROGRAM...: runs each fuzz target for CSFTP_FUZZ_SECONDS, starting from
# the inputs kept in tests/fuzz/corpus/NAME.  What is found lies beside the
# program; new inputs are not added to the tree.
set -eu
here=$(dirname "$0")
seconds=${CSFTP_FUZZ_SECONDS:-60}

if [ $# = 0 ]; then
	echo 'fuzz: there are no targets in tests/fuzz' >&2
	exit 1
fi
for program; do
	name=$(basename "$program")
	work=$program.corpus
	mkdir -p "$work"
	echo "$name: $seconds s"
	kept=$here/corpus/$name
	[ -d "$kept" ] || kept=
	"$program" -max_total_time="$seconds" -print_final_stats=1 \
		-artifact_prefix="$program." "$work" ${kept:+"$kept"}
done
