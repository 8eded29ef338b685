# What the job scripts share; each sources it with its folder in $jobs. From the environment or the site file:
#   COGNATE         the program; cognate on the PATH by default
#   COGNATE_LAUNCH  what starts it on the job's ranks; by default srun with PMIx. "mpirun" is as good
#   COGNATE_SITE    the site file, sourced first; by default site.sh in this folder, where there is one

# The functions of module systems do not bear -e and -u.
set +eu
if [ -n "$COGNATE_SITE" ] || [ -e "$jobs/site.sh" ]; then
	. "${COGNATE_SITE:-$jobs/site.sh}"
fi
set -eu
: "${COGNATE:=cognate}" "${COGNATE_LAUNCH:=srun --mpi=pmix --wait=30}"

# One BLAS thread a rank: the ranks are the parallelism.
export OPENBLAS_NUM_THREADS=1 OMP_NUM_THREADS=1

say() {
	echo "job $SLURM_JOB_ID, run $((${SLURM_RESTART_COUNT:-0} + 1)): $*"
}

# Slurm sends these to the batch shell alone, or before it kills all: the launcher hands USR1 to every rank.
stop_step() {
	say "$1 has come, the ranks are told to stop"
	interrupted=yes
	kill -USR1 "$step" || :
}

# Waits for the launcher. A trap ends wait early, with a status above 128, while the launcher goes on.
wait_for_step() {
	while
		interrupted="" status=0
		wait "$step" || status=$?
		[ -n "$interrupted" ] && [ "$status" -gt 128 ]
	do :; done
}

is_whole() {
	[ -e "$1" ] && "$COGNATE" verify "$1"
}

# Usage: produce RESULT ARGUMENT...: runs `cognate ARGUMENT...`, which makes RESULT, on the job's ranks; ends the job.
# What counts is the result, not the launcher's status: after a requeue it may be there already.
produce() {
	result=$1
	shift
	if is_whole "$result"; then
		say "$result is there and whole, nothing is left to do; for a new one remove it first"
		exit 0
	fi
	say "starts on $SLURM_NTASKS ranks of $SLURM_JOB_NODELIST"
	$COGNATE_LAUNCH "$COGNATE" "$@" &
	step=$!
	trap 'stop_step SIGUSR1' USR1
	trap 'stop_step SIGTERM' TERM
	wait_for_step
	if is_whole "$result"; then
		say "$result is done"
		exit 0
	fi
	say "there is no result; the step ended with status $status"
	if [ -d "$result.journal" ]; then
		say "what is finished is in $result.journal: scontrol requeue $SLURM_JOB_ID goes on from there"
	fi
	[ "$status" != 0 ] || status=1
	exit "$status"
}
