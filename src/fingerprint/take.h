/* The parts of cg_fingerprint_take. */
#ifndef COGNATE_FINGERPRINT_TAKE_H
#define COGNATE_FINGERPRINT_TAKE_H

#include "cognate/comm.h"
#include "cognate/fingerprint.h"

/* Tokens whose embedding rows are kept, columns of a row, rows whose products are kept. */
enum { CG_PRINT_TOKENS_KEPT = 1024, CG_PRINT_TOKEN_COLUMNS = 256, CG_PRINT_GRAM_TOKENS = 512 };

/* Allocates a group without texts for the sizes set, all 0: ranks fill their parts, which
 * cg_print_share brings to all. The first is local, the second collective. */
int cg_print_allocate(struct cg_fingerprint *out, const char *group, struct cg_err *err);
void cg_print_share(const struct cg_comm *comm, struct cg_fingerprint *out, const char *group);

/* Collective, agreed. /tokens but for row and gram, from rank 0's vocabulary; `rows` of the embedding. */
int cg_print_vocabulary(const struct cg_comm *comm, struct cg_fingerprint *out,
                        const struct cg_vocabulary *vocabulary, int64_t rows, int64_t width,
                        struct cg_err *err);

/* Collective, agreed. /blocks, and row and gram of /tokens. */
int cg_print_samples(const struct cg_comm *comm, struct cg_fingerprint *out,
                     const struct cg_print_subject *subject, int64_t *reread, struct cg_err *err);

/* The hash that orders tokens. */
uint64_t cg_print_token_key(const char *bytes, size_t n, bool special);

#endif
