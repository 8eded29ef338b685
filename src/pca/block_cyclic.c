#include "pca/block_cyclic.h"

int cg_cyclic_owner(int64_t i, int64_t block, int processes)
{
    return (int)(i / block % processes);
}

int64_t cg_cyclic_local(int64_t i, int64_t block, int processes)
{
    return i / (block * processes) * block + i % block;
}

int64_t cg_cyclic_global(int64_t local, int64_t block, int processes, int process)
{
    return (local / block * processes + process) * block + local % block;
}

int64_t cg_cyclic_count(int64_t n, int64_t block, int processes, int process)
{
    int64_t whole = n / block;
    int64_t count = whole / processes * block;
    if (process < whole % processes)
        return count + block;
    return process == whole % processes ? count + n % block : count;
}

void cg_cyclic_grid(int ranks, int64_t blocks, int *rows, int *columns)
{
    int r = 1;
    while ((int64_t)(r + 1) * (r + 1) <= ranks)
        r++;
    *rows = r < blocks ? r : (int)blocks;
    *columns = ranks / *rows < blocks ? ranks / *rows : (int)blocks;
}
