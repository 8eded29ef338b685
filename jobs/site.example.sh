# What a site needs before the job scripts run cognate: copy to site.sh beside them, or name a file in COGNATE_SITE.

. /etc/profile.d/modules.sh
module load openmpi hdf5 openblas

COGNATE=$HOME/bin/cognate

# Where srun knows no PMIx (srun --mpi=list), or a module brings an Open MPI of its own:
# COGNATE_LAUNCH=mpirun
