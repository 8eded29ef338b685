#!/bin/sh
# Compares models on one machine, with a rank a core:  jobs/compare-local.sh RESULT.h5 MODEL MODEL [MODEL...]
# RANKS sets another number of ranks, COGNATE the program.

set -eu

if [ $# -lt 3 ]; then
	echo "usage: $0 RESULT.h5 MODEL MODEL [MODEL...]" >&2
	exit 2
fi
result=$1
shift

# One BLAS thread a rank: the ranks are the parallelism.
export OPENBLAS_NUM_THREADS=1 OMP_NUM_THREADS=1

# Open MPI counts cores, not hardware threads, as places for ranks.
cores=$(lscpu -p=CORE,SOCKET | grep -v '^#' | sort -u | wc -l)
exec mpirun -n "${RANKS:-$cores}" "${COGNATE:-cognate}" compare -o "$result" "$@"
