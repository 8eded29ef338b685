#include "cognate/mem.h"
#include "forecast.h"
#include "sweep/digest.h"
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* Buffers that the caches hold for hashing, and that they do not hold for copying. */
enum { HASHED = 1 << 18, COPIED = 1 << 25 };
static const double SECONDS = 0.1;

/* Processor time, so that others on the machine do not slow what is measured. */
static double own_seconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

static int measure_hash(double *rate, size_t members, struct cg_err *err)
{
    struct cg_digests *digests = cg_digests_create(members, true, err);
    uint8_t *data = digests ? cg_new_aligned(members * HASHED, 1, err) : NULL;
    const uint8_t *of[2] = {data, data ? data + (members - 1) * HASHED : NULL};
    const size_t bytes[2] = {HASHED, HASHED};
    int result = data ? cg_digests_begin(digests, members, err) : -1;
    double done = 0, start = own_seconds(), seconds = 0;
    if (result == 0)
        memset(data, 1, members * HASHED);
    for (; result == 0 && seconds < SECONDS; seconds = own_seconds() - start) {
        result = cg_digests_update(digests, members, of, bytes, err);
        done += (double)members * HASHED;
    }
    *rate = seconds > 0 ? done / seconds : 0;
    free(data);
    cg_digests_destroy(digests);
    return result;
}

/* Bytes read and written. */
static int measure_copy(double *rate, struct cg_err *err)
{
    char *data = cg_new_aligned(2 * (size_t)COPIED, 1, err);
    if (!data)
        return -1;
    memset(data, 1, 2 * (size_t)COPIED);
    double done = 0, start = own_seconds(), seconds = 0;
    for (int turn = 0; seconds < SECONDS; turn++, seconds = own_seconds() - start) {
        memcpy(data + (turn % 2) * COPIED, data + (1 - turn % 2) * COPIED, COPIED);
        done += 2.0 * COPIED;
    }
    *rate = done / seconds;
    free(data);
    return 0;
}

int rates_measure(struct rates *rates, bool beside, struct cg_err *err)
{
    if (rates->hash == 0 && measure_hash(&rates->hash, beside ? 2 : 1, err) < 0)
        return -1;
    return rates->memory > 0 ? 0 : measure_copy(&rates->copy, err);
}
