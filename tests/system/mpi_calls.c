/* Counts what a rank says to others, for tests: preloaded into the program under test. Appends a line a call
 * of more than 8 bytes to CALLS.RANK: the call and the bytes that it hands in. Handles are pointers, as in
 * Open MPI.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>

#define NEXT(type, name) ((type)dlsym(RTLD_NEXT, #name))

static long size_of(void *type)
{
    int bytes = 0;
    NEXT(int (*)(void *, int *), MPI_Type_size)(type, &bytes);
    return bytes;
}

static void note(const char *call, long bytes)
{
    char path[4096];
    if (bytes <= 8)
        return;
    snprintf(path, sizeof path, "%s.%s", getenv("CALLS"), getenv("OMPI_COMM_WORLD_RANK"));
    FILE *out = fopen(path, "a");
    if (!out || fprintf(out, "%s %ld\n", call, bytes) < 0 || fclose(out) != 0)
        abort();
}

int MPI_Allreduce(const void *send, void *receive, int n, void *type, void *op, void *comm)
{
    note("allreduce", n * size_of(type));
    return NEXT(int (*)(const void *, void *, int, void *, void *, void *), MPI_Allreduce)(send, receive, n,
                                                                                           type, op, comm);
}

int MPI_Send(const void *data, int n, void *type, int to, int tag, void *comm)
{
    note("send", n * size_of(type));
    return NEXT(int (*)(const void *, int, void *, int, int, void *), MPI_Send)(data, n, type, to, tag, comm);
}

int MPI_Alltoallv(const void *send, const int *counts, const int *at, void *type, void *receive,
                  const int *receive_counts, const int *receive_at, void *receive_type, void *comm)
{
    int ranks = 0;
    long n = 0;
    NEXT(int (*)(void *, int *), MPI_Comm_size)(comm, &ranks);
    for (int r = 0; r < ranks; r++)
        n += counts[r];
    note("alltoallv", n * size_of(type));
    return NEXT(int (*)(const void *, const int *, const int *, void *, void *, const int *, const int *,
                        void *, void *),
                MPI_Alltoallv)(send, counts, at, type, receive, receive_counts, receive_at, receive_type,
                               comm);
}
