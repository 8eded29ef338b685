/* config.json's quantization_config, and what bitsandbytes keeps beside each weight. */
#ifndef COGNATE_CHECKPOINT_QUANTISATION_H
#define COGNATE_CHECKPOINT_QUANTISATION_H

#include "cognate/checkpoint.h"
#include "json.h"

/* Takes what a quantization_config says. The texts are set already, to "" at least. */
int cg_quantisation_take(struct cg_config *config, const json_t *root, const char *path, struct cg_err *err);

/* The same out of FOLDER/quantize_config.json; nothing where there is none. */
int cg_quantisation_read(struct cg_config *config, const char *folder, struct cg_err *err);

/* Reads the quant_state of every weight that bitsandbytes holds in 4 bits into checkpoint->bnb. */
int cg_bnb_read(struct cg_checkpoint *checkpoint, struct cg_err *err);

/* Finds the packed weights of compressed-tensors whose rows end within a word: checkpoint->padded. Values are
 * read only where groups of scales do not tell. */
int cg_packed_read(struct cg_checkpoint *checkpoint, struct cg_err *err);

/* One file of a checkpoint that is open, while small tensors are read that mostly follow each other in one.
 * All zero: none. */
struct cg_one_file {
    bool is_open;
    int32_t file;
    int descriptor;
};
int cg_one_file_open(struct cg_one_file *one, const struct cg_checkpoint *checkpoint, int32_t file,
                     struct cg_err *err);
void cg_one_file_close(struct cg_one_file *one);

#endif
