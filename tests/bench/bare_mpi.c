/* What Open MPI takes by itself: starts and ends it, and prints the peak resident set in bytes. */
#include <mpi.h>
#include <stdio.h>
#include <sys/resource.h>

int main(int argc, char **argv)
{
    struct rusage usage;
    MPI_Init(&argc, &argv);
    MPI_Barrier(MPI_COMM_WORLD);
    getrusage(RUSAGE_SELF, &usage);
    printf("%ld\n", usage.ru_maxrss * 1024L);
    MPI_Finalize();
    return 0;
}
