/* Whether what a file says can be a fingerprint. Local. */
#ifndef COGNATE_FINGERPRINT_CHECK_H
#define COGNATE_FINGERPRINT_CHECK_H

#include "cognate/fingerprint.h"

/* All that an index, a size or a number could do harm with. The text of err names the place in the file, not
 * the file. */
int cg_print_check(const struct cg_fingerprint *print, struct cg_err *err);

#endif
