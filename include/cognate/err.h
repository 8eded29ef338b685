/* Errors: one list of codes, one text, owned by the caller.
 *
 * Three kinds of failure, told apart everywhere in cognate:
 *   - a bug in cognate asserts;
 *   - MPI itself failing, or a peer that stopped, aborts the job (comm.h);
 *   - a file, the machine or the user at fault returns -1 with a struct cg_err filled.
 *
 * A function that can fail in the third way takes `struct cg_err *err` as its last argument, returns 0 or
 * -1 (or NULL), and fills err exactly when it fails. The text names the file, then the tensor, then what is
 * wrong, then the byte: "model.safetensors: lm_head.weight: shape [2, 3] needs 12 bytes, not 10 (at byte 8)".
 * Names that come from a file go through cg_printable (text.h) first.
 */
#ifndef COGNATE_ERR_H
#define COGNATE_ERR_H

/* code, what it means */
#define CG_ERROR_LIST(X)                                                                                     \
    X(CG_OK, "no error")                                                                                     \
    X(CG_ENOMEM, "out of memory")                                                                            \
    X(CG_EIO, "the system refused to read or write")                                                         \
    X(CG_EFORMAT, "a file breaks the rules of its format")                                                   \
    X(CG_EMISSING, "a file or tensor that must be there is not")                                             \
    X(CG_EUNSUPPORTED, "a file is sound but of a kind that cognate does not read")                           \
    X(CG_EMISMATCH, "two things that must agree do not")                                                     \
    X(CG_ECHANGED, "a file changed while it was being read")                                                 \
    X(CG_ENUMERIC, "a numerical result failed its own check")                                                \
    X(CG_EINTERRUPTED, "a signal asked to stop")                                                             \
    X(CG_EUSAGE, "wrong usage")

enum cg_code {
#define CG_ERROR_ENUM(code, meaning) code,
    CG_ERROR_LIST(CG_ERROR_ENUM)
#undef CG_ERROR_ENUM
};

enum { CG_ERR_TEXT = 1024 };

struct cg_err {
    enum cg_code code;
    char text[CG_ERR_TEXT]; /* one line, no prefix, no newline */
};

/* Fills err and returns -1, so that `return cg_fail(err, ...)` reads well. A text too long is cut. */
int cg_fail(struct cg_err *err, enum cg_code code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* The meaning of a code, from the list above. */
const char *cg_code_meaning(enum cg_code code);

/* The one macro that hides control flow: leaves through the label `done` when a call returns -1. */
#define CG_TRY(call)                                                                                         \
    do {                                                                                                     \
        if ((call) < 0)                                                                                      \
            goto done;                                                                                       \
    } while (0)

#endif
