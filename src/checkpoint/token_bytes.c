#include "token_bytes.h"
#include <string.h>

static const char piece_space[] = "\xE2\x96\x81"; /* U+2581 */

enum { PIECE_SPACE = sizeof piece_space - 1, PIECE_BYTE = sizeof "<0x00>" - 1 };

static bool is_text(const json_t *value, const char *text)
{
    const char *string = json_string_value(value);
    return string && strcmp(string, text) == 0;
}

static bool is_byte_level(const json_t *step)
{
    return is_text(json_object_get(step, "type"), "ByteLevel");
}

static bool is_piece(const json_t *step)
{
    const json_t *type = json_object_get(step, "type");
    const json_t *pattern = json_object_get(json_object_get(step, "pattern"), "String");
    return is_text(type, "Metaspace") || is_text(type, "ByteFallback") ||
           (is_text(type, "Replace") &&
            (is_text(pattern, piece_space) || is_text(json_object_get(step, "content"), piece_space)));
}

/* Whether a step of a tokenizer, or one within a Sequence of steps, is of a kind. */
static bool any_step(const json_t *step, bool (*matches)(const json_t *))
{
    static const char *const sequences[] = {"normalizers", "pretokenizers", "decoders"};
    if (matches(step))
        return true;
    for (size_t s = 0; s < sizeof sequences / sizeof *sequences; s++) {
        const json_t *sequence = json_object_get(step, sequences[s]);
        for (size_t i = 0; i < json_array_size(sequence); i++)
            if (any_step(json_array_get(sequence, i), matches))
                return true;
    }
    return false;
}

static bool tokenizer_has(const json_t *tokenizer, bool (*matches)(const json_t *))
{
    return any_step(json_object_get(tokenizer, "normalizer"), matches) ||
           any_step(json_object_get(tokenizer, "pre_tokenizer"), matches) ||
           any_step(json_object_get(tokenizer, "decoder"), matches);
}

struct cg_token_coding cg_token_coding_of(const json_t *tokenizer)
{
    const json_t *model = json_object_get(tokenizer, "model");
    const char *prefix = json_string_value(json_object_get(model, "continuing_subword_prefix"));
    struct cg_token_coding coding = {CG_TOKEN_AS_WRITTEN, prefix && *prefix ? prefix : "##"};
    if (tokenizer_has(tokenizer, is_byte_level))
        coding.kind = CG_TOKEN_BYTE_LEVEL;
    else if (is_text(json_object_get(model, "type"), "WordPiece"))
        coding.kind = CG_TOKEN_WORD_PIECE;
    else if (tokenizer_has(tokenizer, is_piece) || json_is_true(json_object_get(model, "byte_fallback")))
        coding.kind = CG_TOKEN_PIECE;
    return coding;
}

/* GPT-2's map (bytes_to_unicode in openai/gpt-2, src/encoder.py) leaves the printable characters of Latin-1
 * as they are and gives the other bytes, in their order, the characters from U+0100 on. -1: not in the map.
 */
static int byte_of_letter(unsigned letter)
{
    if ((letter >= 0x21 && letter <= 0x7E) || (letter >= 0xA1 && letter <= 0xFF && letter != 0xAD))
        return (int)letter;
    if (letter < 0x100 || letter > 0x143)
        return -1;
    unsigned k = letter - 0x100;
    return (int)(k <= 0x20 ? k : k < 0x43 ? k - 0x21 + 0x7F : 0xAD);
}

/* A token with a character outside of the map stands as written, as in the decoder of PyPI's tokenizers. */
static int append_byte_level(struct cg_buf *out, const char *text, size_t n, struct cg_err *err)
{
    size_t start = out->size;
    for (size_t i = 0; i < n;) {
        size_t length = cg_utf8_length(text + i, n - i);
        unsigned first = (unsigned char)text[i];
        int value = -1;
        if (length == 1)
            value = byte_of_letter(first);
        else if (length == 2)
            value = byte_of_letter((first & 0x1F) << 6 | ((unsigned char)text[i + 1] & 0x3F));
        if (value < 0) {
            out->size = start;
            return cg_buf_append(out, text, n, err);
        }
        char byte = (char)value;
        if (cg_buf_append(out, &byte, 1, err) < 0)
            return -1;
        i += length;
    }
    return 0;
}

static int digit_of(char c)
{
    return c >= '0' && c <= '9' ? c - '0' : c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* The byte that "<0xNN>" names, or -1 for any other text. */
static int byte_of_piece(const char *text, size_t n)
{
    if (n != PIECE_BYTE || memcmp(text, "<0x", 3) != 0 || text[5] != '>')
        return -1;
    int high = digit_of(text[3]), low = digit_of(text[4]);
    return high < 0 || low < 0 ? -1 : high * 16 + low;
}

bool cg_token_names_byte(struct cg_token_coding coding, const char *text, size_t n)
{
    return coding.kind == CG_TOKEN_PIECE && byte_of_piece(text, n) >= 0;
}

static int append_spaced(struct cg_buf *out, const char *text, size_t n, struct cg_err *err)
{
    for (const char *end = text + n; text < end;) {
        const char *space = memmem(text, (size_t)(end - text), piece_space, PIECE_SPACE);
        if (cg_buf_append(out, text, (size_t)((space ? space : end) - text), err) < 0)
            return -1;
        if (space && cg_buf_append(out, " ", 1, err) < 0)
            return -1;
        text = space ? space + PIECE_SPACE : end;
    }
    return 0;
}

static int append_piece(struct cg_buf *out, const char *text, size_t n, struct cg_err *err)
{
    char byte = (char)byte_of_piece(text, n);
    if (byte_of_piece(text, n) < 0)
        return append_spaced(out, text, n, err);
    return cg_buf_append(out, &byte, 1, err);
}

static int append_word_piece(struct cg_buf *out, const char *prefix, const char *text, size_t n,
                             struct cg_err *err)
{
    size_t length = strlen(prefix);
    if (n > length && memcmp(text, prefix, length) == 0)
        return cg_buf_append(out, text + length, n - length, err);
    if (cg_buf_append(out, " ", 1, err) < 0)
        return -1;
    return cg_buf_append(out, text, n, err);
}

int cg_token_bytes(struct cg_buf *out, struct cg_token_coding coding, const char *text, size_t n,
                   struct cg_err *err)
{
    switch (coding.kind) {
    case CG_TOKEN_BYTE_LEVEL:
        return append_byte_level(out, text, n, err);
    case CG_TOKEN_PIECE:
        return append_piece(out, text, n, err);
    case CG_TOKEN_SPACED:
        return append_spaced(out, text, n, err);
    case CG_TOKEN_WORD_PIECE:
        return append_word_piece(out, coding.prefix, text, n, err);
    case CG_TOKEN_AS_WRITTEN:
        break;
    }
    return cg_buf_append(out, text, n, err);
}

static int value_of(char letter)
{
    if (letter >= 'A' && letter <= 'Z')
        return letter - 'A';
    if (letter >= 'a' && letter <= 'z')
        return letter - 'a' + 26;
    if (letter >= '0' && letter <= '9')
        return letter - '0' + 52;
    return letter == '+' ? 62 : letter == '/' ? 63 : -1;
}

int64_t cg_base64_letters(const char *base64, size_t n)
{
    size_t letters = n;
    while (letters > 0 && n - letters < 2 && base64[letters - 1] == '=')
        letters--;
    for (size_t i = 0; i < letters; i++)
        if (value_of(base64[i]) < 0)
            return -1;
    return n > 0 && n % 4 == 0 ? (int64_t)letters : -1;
}

size_t cg_base64_decode(char *base64, size_t letters)
{
    size_t n = 0;
    unsigned bits = 0;
    for (size_t i = 0; i < letters; i++) {
        bits = bits << 6 | (unsigned)value_of(base64[i]);
        if (i % 4 > 0)
            base64[n++] = (char)(unsigned char)(bits >> (6 - 2 * (i % 4)));
    }
    return n;
}
