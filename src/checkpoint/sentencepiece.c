/* SentencePiece's model, a protobuf message (google/sentencepiece, src/sentencepiece_model.proto): the field
 * `pieces` repeats, in the order of the ids. All other fields are skipped, so only the wire format is read
 * (protobuf.dev, "Encoding"). */
#include "file.h"
#include "vocabulary_source.h"
#include <stdint.h>
#include <string.h>

enum wire { WIRE_VARINT = 0, WIRE_64 = 1, WIRE_BYTES = 2, WIRE_32 = 5 };
enum { MODEL_PIECES = 1, PIECE_TEXT = 1, PIECE_TYPE = 3 };
enum { TYPE_NORMAL = 1, TYPE_UNKNOWN = 2, TYPE_CONTROL = 3, TYPE_BYTE = 6 };

/* A message that is walked through. */
struct message {
    const char *at, *end;
    const char *start; /* of the file */
};

struct field {
    uint64_t number, wire;
    uint64_t value;    /* of a varint */
    const char *bytes; /* [n] of a text or a message */
    size_t n;
};

/* Seven bits a byte, the lowest first; the last of at most ten has its upper bit clear. */
static int take_varint(struct message *from, uint64_t *value)
{
    *value = 0;
    for (unsigned shift = 0; shift < 70 && from->at < from->end; shift += 7) {
        uint64_t byte = (unsigned char)*from->at++;
        *value |= (byte & 0x7F) << (shift < 63 ? shift : 63);
        if (byte < 0x80)
            return 0;
    }
    return -1;
}

/* Moves on over n bytes. */
static int take_bytes(struct message *from, uint64_t n, struct field *field)
{
    if (n > (uint64_t)(from->end - from->at))
        return -1;
    field->bytes = from->at;
    field->n = (size_t)n;
    from->at += n;
    return 0;
}

static int take_value(struct message *from, struct field *field)
{
    switch (field->wire) {
    case WIRE_VARINT:
        return take_varint(from, &field->value);
    case WIRE_64:
        return take_bytes(from, 8, field);
    case WIRE_BYTES:
        return take_varint(from, &field->value) < 0 ? -1 : take_bytes(from, field->value, field);
    case WIRE_32:
        return take_bytes(from, 4, field);
    default: /* groups, which nobody writes any more, and what does not exist */
        return -1;
    }
}

static int take_field(struct message *from, struct field *field, const char *path, struct cg_err *err)
{
    const char *start = from->at;
    uint64_t key = 0;
    *field = (struct field){0};
    if (take_varint(from, &key) == 0) {
        field->number = key >> 3;
        field->wire = key & 7;
        if (field->number > 0 && take_value(from, field) == 0)
            return 0;
    }
    return cg_fail_at(err, CG_EFORMAT, path, NULL, start - from->start, "broken as a SentencePiece model");
}

static int add_piece(struct cg_token_list *list, struct message piece, int64_t id, struct cg_err *err)
{
    struct field field;
    const char *text = NULL;
    size_t n = 0;
    uint64_t type = TYPE_NORMAL;
    while (piece.at < piece.end) {
        if (take_field(&piece, &field, list->path, err) < 0)
            return -1;
        if (field.number == PIECE_TEXT && field.wire == WIRE_BYTES) {
            text = field.bytes;
            n = field.n;
        } else if (field.number == PIECE_TYPE && field.wire == WIRE_VARINT) {
            type = field.value;
        }
    }
    struct cg_token_coding coding = {type == TYPE_BYTE ? CG_TOKEN_PIECE : CG_TOKEN_SPACED, NULL};
    if (type == TYPE_BYTE && text && !cg_token_names_byte(coding, text, n))
        text = NULL;
    return cg_token_list_add(list, coding, text, n, id, type == TYPE_UNKNOWN || type == TYPE_CONTROL, err);
}

/* The first `left_out` pieces are not tokens; the id of piece k is k + shift. */
static int load_pieces(struct cg_token_list *list, const struct cg_buf *text, int64_t left_out, int64_t shift,
                       struct cg_err *err)
{
    struct message model = {text->data, text->data + text->size, text->data};
    struct field field;
    int64_t id = 0;
    while (model.at < model.end) {
        if (take_field(&model, &field, list->path, err) < 0)
            return -1;
        if (field.number != MODEL_PIECES || field.wire != WIRE_BYTES)
            continue;
        struct message piece = {field.bytes, field.bytes + field.n, model.start};
        if (id >= left_out && add_piece(list, piece, id + shift, err) < 0)
            return -1;
        id++;
    }
    if (id == 0)
        return cg_fail_at(err, CG_EFORMAT, list->path, NULL, -1, "a SentencePiece model without pieces");
    return 0;
}

int cg_sentencepiece_load(struct cg_token_list *list, struct cg_buf *text, struct cg_err *err)
{
    return load_pieces(list, text, 0, 0, err);
}

/* The model's own <unk>, <s> and </s> give way to fairseq's four, and all others move up by one
 * (https://github.com/huggingface/transformers, models/nllb/tokenization_nllb.py, fairseq_offset). */
int cg_fairseq_load(struct cg_token_list *list, struct cg_buf *text, struct cg_err *err)
{
    static const char *const specials[] = {"<s>", "<pad>", "</s>", "<unk>"};
    struct cg_token_coding coding = {CG_TOKEN_SPACED, NULL};
    for (int64_t id = 0; id < 4; id++)
        if (cg_token_list_add(list, coding, specials[id], strlen(specials[id]), id, true, err) < 0)
            return -1;
    return load_pieces(list, text, 3, 1, err);
}
