/* Synthetic models with data, in files of a folder of their own. Anything that fails ends the test. */
#ifndef TESTS_SWEEP_WRITTEN_H
#define TESTS_SWEEP_WRITTEN_H

#include "../plan/synthetic.h"

struct written {
    struct synthetic *made;
    char folder[200];
    bool apart; /* a file for each tensor, instead of one for each model */
};

/* Makes the folder. */
void written_begin(struct written *written, struct synthetic *made, bool apart);

/* Says where the tensors will lie. */
void written_lay_out(struct written *written);

/* Writes the bytes: floats in [-1, 1) with a NaN now and then, other types of any bits. */
void written_write(struct written *written);

/* Notes what the files are, as reading their headers would. */
void written_stat(struct written *written);

/* All of the above. */
void written_make(struct written *written, struct synthetic *made, bool apart);

/* Removes files and folder. */
void written_remove(struct written *written);

/* Frees what lay_out gave the models; call it on every rank, before synthetic_release. */
void written_release(struct written *written);

/* The bytes of a tensor as they are written, on the heap. */
uint8_t *written_bytes(const struct written *written, int model, int32_t tensor);

#endif
