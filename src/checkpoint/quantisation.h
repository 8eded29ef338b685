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

#endif
