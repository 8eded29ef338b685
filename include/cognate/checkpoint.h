/* A checkpoint as it lies on disk: files, tensors, configuration. No knowledge of what a tensor is for.
 *
 * Opening parses metadata only (headers, index, config.json) and belongs on rank 0; the packed form goes to
 * the other ranks, so that one rank alone lists, stats and parses.
 */
#ifndef COGNATE_CHECKPOINT_H
#define COGNATE_CHECKPOINT_H

#include "cognate/dtype.h"
#include "cognate/err.h"
#include "cognate/text.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { CG_MAX_AXES = 8, CG_STRIDED_AXES = 4 };

/* One data file, and what it was when its header was read (to notice that it changed since). */
struct cg_file {
    char *path;
    int64_t device, inode, bytes, mtime_ns;
};

/* One stored tensor, little-endian. Row-major from `offset` (from the start of the file) on, or `strided`:
 * then its first element is there, and others lie as far from their neighbours as `stride` says. */
struct cg_tensor {
    char *name;
    enum cg_dtype dtype;
    int axes;                   /* 0 for a scalar */
    int64_t shape[CG_MAX_AXES]; /* shape[axes], each >= 0 */
    int64_t elements;           /* product of shape */
    int64_t *stride;            /* [axes] in elements, where it is strided; else NULL. Only of types of whole
                                   bytes, no element twice, at most CG_STRIDED_AXES joined axes */
    int32_t file;               /* index into files */
    int64_t offset, bytes;      /* bytes of its elements, without what lies between them */
};

/* The facts of a model's architecture that config.json, or a GGUF file itself, states and that reports show.
 * enumerator, name (that of the result file) */
#define CG_FACT_LIST(X)                                                                                      \
    X(CG_HIDDEN_SIZE, hidden_size)                                                                           \
    X(CG_INTERMEDIATE_SIZE, intermediate_size)                                                               \
    X(CG_MOE_INTERMEDIATE_SIZE, moe_intermediate_size)                                                       \
    X(CG_NUM_HIDDEN_LAYERS, num_hidden_layers)                                                               \
    X(CG_NUM_ATTENTION_HEADS, num_attention_heads)                                                           \
    X(CG_NUM_KEY_VALUE_HEADS, num_key_value_heads)                                                           \
    X(CG_NUM_EXPERTS, num_experts)                                                                           \
    X(CG_NUM_EXPERTS_PER_TOK, num_experts_per_tok)                                                           \
    X(CG_NUM_SHARED_EXPERTS, num_shared_experts)                                                             \
    X(CG_VOCAB_SIZE, vocab_size)                                                                             \
    X(CG_HEAD_DIM, head_dim)                                                                                 \
    X(CG_FIRST_K_DENSE, first_k_dense_replace)                                                               \
    X(CG_NUM_NEXTN_LAYERS, num_nextn_predict_layers)

enum cg_fact {
#define CG_FACT_ENUM(id, name) id,
    CG_FACT_LIST(CG_FACT_ENUM)
#undef CG_FACT_ENUM
        CG_FACT_COUNT
};

/* The name of a fact, as in the list. */
const char *cg_fact_name(enum cg_fact fact);

/* One way of quantising weights that config.json names; compressed-tensors may name several, by their layers.
 * -1 where it does not say. */
struct cg_quantisation {
    int64_t bits, group_size;
    int64_t block_rows, block_columns;
};

enum { CG_MOST_QUANTISATIONS = 16 };

struct cg_config {
    bool present;                /* a config.json was there, or the files themselves speak of it */
    char *file;                  /* that says it; where none does, the config.json that is not there */
    int64_t fact[CG_FACT_COUNT]; /* -1 where the file does not say; never derived from anything else */
    char *model_type;            /* "" where absent */
    char *architecture;          /* the first of "architectures", "" where absent */
    char *quant_method;          /* quantization_config.quant_method, "" where absent */
    char *quant_format;          /* its format, checkpoint_format or version, "" where absent */
    bool quant_by_layer;         /* single layers may differ from what is said here (GPTQModel's `dynamic`) */
    int nquantisations;          /* 0 where there is no quantization_config */
    struct cg_quantisation quantisation[CG_MOST_QUANTISATIONS];
    /* Sizes that are no facts of reports, 0 where it does not say. */
    int64_t embedding_size;   /* of a token's row, where that is not hidden_size: OPT, ELECTRA */
    int64_t qk_nope_head_dim; /* of latent attention */
    int tied;                 /* tie_word_embeddings: 1, 0, -1 not said */
};

/* What bitsandbytes says beside a weight of 4 bits, whose own shape is that of its bytes. */
struct cg_bnb_state {
    int32_t tensor; /* the weight's, into tensors */
    bool nf4;       /* else fp4 */
    int64_t rows, columns;
    int64_t block, nested_block; /* elements, scales; nested_block 0: scales are numbers */
    double nested_offset;
};

struct cg_checkpoint {
    char *label;         /* how the user or the path names it; "" after open, the caller frees and sets it */
    char *given;         /* the path as given */
    char *folder;        /* the folder that was read (for a single file: its folder) */
    char *family, *role; /* from a manifest, else ""; as label */
    bool alone;          /* one shard of several, given as a file: a part of the model */
    struct cg_config config;
    struct cg_file *files;
    size_t nfiles;
    struct cg_tensor *tensors; /* sorted by name, byte by byte */
    size_t ntensors;
    struct cg_bnb_state *bnb; /* sorted by tensor */
    size_t nbnb;
    int32_t *padded; /* packed codes whose rows end within a word, by index into tensors, rising */
    size_t npadded;
    struct cg_buf warnings; /* lines, each ending in \n; what a reader should know and is no error */
};

/* Where a model given as PATH or ORG/NAME lies: an existing folder or file as it is, else a snapshot in the
 * local Hugging Face cache ($HF_HUB_CACHE, else $HF_HOME/hub, else ~/.cache/huggingface/hub): the one that
 * refs/main names, without it the newest.
 * On the heap; NULL with err when there is none. */
char *cg_checkpoint_locate(const char *given, struct cg_err *err);

/* Reads the metadata of the model at `given`, located as above. *out must be all zero. Local: rank 0. On
 * failure *out is released. A folder is read by its index (model.safetensors.index.json) or, without one, by
 * all its *.safetensors; where it has none, by PyTorch's index, *.bin, *.pt, *.pth, *.npz or the one *.gguf,
 * which may be in parts. A file is read by itself; one named as a shard of several is `alone`, and a line in
 * warnings says so. Tensors that only one side, index or shards, knows are an error, and so is a name in two
 * files. All texts are set, "" where there is nothing to say. */
int cg_checkpoint_open(struct cg_checkpoint *out, const char *given, struct cg_err *err);
void cg_checkpoint_release(struct cg_checkpoint *checkpoint);

/* The compact form for cg_broadcast, and back. Local. */
int cg_checkpoint_pack(const struct cg_checkpoint *checkpoint, struct cg_buf *buf, struct cg_err *err);
int cg_checkpoint_unpack(struct cg_checkpoint *out, struct cg_unpacker *from, struct cg_err *err);

/* The tensor of that name, or NULL. */
const struct cg_tensor *cg_checkpoint_find(const struct cg_checkpoint *checkpoint, const char *name);

/* Where the model's vocabulary is, for vocabulary.h: the GGUF file that describes it, else its folder. */
const char *cg_checkpoint_vocabulary(const struct cg_checkpoint *checkpoint);

/* How many elements lie between neighbours along each axis of a tensor that is not empty. */
void cg_tensor_strides(const struct cg_tensor *tensor, int64_t stride[CG_MAX_AXES]);

/* The axes that are left of such a tensor, at least one, when those of one element are dropped and those that
 * follow each other without a gap are joined. Returns how many. */
int cg_tensor_joined(const struct cg_tensor *tensor, int64_t extent[CG_MAX_AXES],
                     int64_t stride[CG_MAX_AXES]);

int64_t cg_checkpoint_bytes(const struct cg_checkpoint *checkpoint); /* bytes of all tensors */

/* Stats the file again and fails with CG_ECHANGED when it is not the one whose header was read.
 * Devices are compared only when `same_host`, since nodes number network file systems differently. */
int cg_file_unchanged(const struct cg_file *file, bool same_host, struct cg_err *err);

/* As above on an open descriptor. */
int cg_descriptor_unchanged(int descriptor, const struct cg_file *file, bool same_host, struct cg_err *err);

#endif
