#include "fuzz.h"
#include <assert.h>
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { PREFIX = 8, MOST_DATA = 4096, MOST_FILES = 8, LONGEST_NAME = 100 };

struct scratch *fuzz_scratch(void)
{
    static struct scratch scratch;
    if (!scratch.folder[0])
        scratch_make(&scratch);
    return &scratch;
}

/* The largest number before a bracket, which is where the last tensor's data end if all is well. */
static size_t stated_end(const char *header)
{
    size_t largest = 0, number = 0;
    for (; *header; header++) {
        if (*header == ']' && number > largest && number <= MOST_DATA)
            largest = number;
        if (*header < '0' || *header > '9')
            number = 0;
        else if (number <= MOST_DATA)
            number = number * 10 + (size_t)(*header - '0');
    }
    return largest;
}

void fuzz_write(const char *name, const uint8_t *bytes, size_t n)
{
    if (!cg_ends_with(name, ".safetensors") || n == 0 || bytes[0] != '{') {
        scratch_bytes(fuzz_scratch(), name, bytes, n);
        return;
    }
    char *header = strndup((const char *)bytes, n);
    assert(header);
    scratch_safetensors(fuzz_scratch(), name, -1, header, stated_end(header));
    free(header);
}

/* ---- folders ---- */

static bool is_plain_name(const char *name, size_t n)
{
    return strlen(name) == n && n > 0 && !strchr(name, '/') && strcmp(name, ".") != 0 &&
           strcmp(name, "..") != 0;
}

/* Takes one file from the text; false when it does not go on. */
static bool take_file(const uint8_t **at, const uint8_t *end)
{
    char name[LONGEST_NAME + 1];
    const uint8_t *line = *at < end ? memchr(*at, '\n', (size_t)(end - *at)) : NULL;
    if (!line || line - *at > LONGEST_NAME)
        return false;
    size_t n = (size_t)(line - *at);
    memcpy(name, *at, n);
    name[n] = '\0';
    if (!is_plain_name(name, n))
        return false;
    const uint8_t *body = line + 1, *stop = memmem(body, (size_t)(end - body), "\n%%\n", 4);
    fuzz_write(name, body, (size_t)((stop ? stop : end) - body));
    *at = stop ? stop + 4 : end;
    return true;
}

void fuzz_fill(const uint8_t *text, size_t n)
{
    const uint8_t *end = text + n;
    for (int files = 0; files < MOST_FILES && take_file(&text, end); files++)
        ;
}

void fuzz_empty(void)
{
    DIR *directory = opendir(fuzz_scratch()->folder);
    assert(directory);
    for (struct dirent *found; (found = readdir(directory));)
        unlink(scratch_path(fuzz_scratch(), found->d_name));
    closedir(directory);
}

/* ---- what a person may see ---- */

void fuzz_check_text(const char *text, bool lines)
{
    size_t n = strlen(text);
    for (size_t i = 0, length; i < n; i += length) {
        unsigned char first = (unsigned char)text[i];
        length = cg_utf8_length(text + i, n - i);
        assert(length > 0);
        assert((first >= 0x20 && first != 0x7F) || (lines && first == '\n'));
        assert(first != 0xC2 || (unsigned char)text[i + 1] >= 0xA0);
    }
    assert(n > 0 && (!lines || text[n - 1] == '\n'));
}

/* ---- what was accepted ---- */

void fuzz_check_vocabulary(const struct cg_vocabulary *vocabulary)
{
    size_t bytes = 0;
    for (size_t i = 0; i < vocabulary->ntokens; i++) {
        const struct cg_token *token = &vocabulary->tokens[i];
        assert(token->id >= 0 && (i == 0 || token[-1].id < token->id));
        assert(token->offset < vocabulary->nbytes && token->length < vocabulary->nbytes - token->offset);
        assert(vocabulary->bytes[token->offset + token->length] == '\0');
        bytes += token->length + 1;
    }
    assert(bytes <= vocabulary->nbytes);
}

static void check_tensor(const struct cg_checkpoint *checkpoint, const struct cg_tensor *tensor)
{
    __int128 elements = 1;
    assert(tensor->axes >= 0 && tensor->axes <= CG_MAX_AXES);
    for (int axis = 0; axis < tensor->axes; axis++) {
        assert(tensor->shape[axis] >= 0);
        elements *= tensor->shape[axis];
        assert(elements <= INT64_MAX);
    }
    assert(elements == tensor->elements);
    struct cg_grain grain = cg_dtype_grain(tensor->dtype);
    assert(elements * grain.bytes == (__int128)tensor->bytes * grain.elements);
    assert(tensor->file >= 0 && (size_t)tensor->file < checkpoint->nfiles);
    assert(tensor->offset >= PREFIX && tensor->bytes >= 0);
    assert(tensor->bytes <= checkpoint->files[tensor->file].bytes - tensor->offset);
    size_t n = strlen(tensor->name);
    for (size_t i = 0, length; i < n; i += length) {
        length = cg_utf8_length(tensor->name + i, n - i);
        assert(length > 0);
    }
}

static int by_offset(const void *left, const void *right)
{
    const struct cg_tensor *a = *(struct cg_tensor *const *)left, *b = *(struct cg_tensor *const *)right;
    if (a->offset != b->offset)
        return a->offset < b->offset ? -1 : 1;
    return (a->bytes > b->bytes) - (a->bytes < b->bytes);
}

/* The tensors of a file lie one behind the other from byte `at` to its end. */
static void check_cover(const struct cg_checkpoint *checkpoint, int32_t file, int64_t at)
{
    size_t n = 0;
    const struct cg_tensor **own = calloc(checkpoint->ntensors, sizeof *own);
    assert(own);
    for (size_t i = 0; i < checkpoint->ntensors; i++)
        if (checkpoint->tensors[i].file == file)
            own[n++] = &checkpoint->tensors[i];
    qsort(own, n, sizeof *own, by_offset);
    for (size_t i = 0; i < n; i++) {
        assert(own[i]->offset == at);
        at += own[i]->bytes;
    }
    assert(at == checkpoint->files[file].bytes);
    free(own);
}

/* A NUL, as it is or as \u0000, would cut a name short. */
static void check_no_nul(const char *header, size_t n)
{
    assert(!memchr(header, '\0', n));
    for (const char *at = header; (at = strchr(at, '\\')); at += 2)
        assert(strncmp(at, "\\u0000", 6) != 0);
}

/* A safetensors file is all header and tensors; other containers may hold more. */
static void check_file(const struct cg_checkpoint *checkpoint, int32_t file)
{
    unsigned char prefix[PREFIX];
    const char *path = checkpoint->files[file].path, *folder = checkpoint->folder;
    assert(cg_starts_with(path, folder) && strrchr(path, '/') <= path + strlen(folder));
    if (!cg_ends_with(path, ".safetensors"))
        return;
    FILE *stream = fopen(path, "rb");
    assert(stream && fread(prefix, 1, PREFIX, stream) == PREFIX);
    size_t n = 0;
    for (int i = PREFIX - 1; i >= 0; i--)
        n = n << 8 | prefix[i];
    char *header = calloc(n + 1, 1);
    assert(header && fread(header, 1, n, stream) == n);
    fclose(stream);
    check_no_nul(header, n);
    free(header);
    check_cover(checkpoint, file, PREFIX + (int64_t)n);
}

static void check_config(const struct cg_config *config)
{
    for (int fact = 0; fact < CG_FACT_COUNT; fact++)
        assert(config->fact[fact] >= -1);
    assert(config->fact[CG_HIDDEN_SIZE] != 0 && config->fact[CG_NUM_HIDDEN_LAYERS] != 0);
    assert(config->file && config->model_type && config->architecture);
    assert(config->quant_method && config->quant_format);
    assert(config->tied >= -1 && config->tied <= 1);
}

static void check_accepted(const struct cg_checkpoint *checkpoint)
{
    assert(checkpoint->ntensors > 0 && checkpoint->nfiles > 0);
    for (size_t i = 0; i < checkpoint->ntensors; i++) {
        const struct cg_tensor *tensor = &checkpoint->tensors[i];
        check_tensor(checkpoint, tensor);
        assert(i == 0 || strcmp(tensor[-1].name, tensor->name) < 0);
        assert(cg_checkpoint_find(checkpoint, tensor->name) == tensor);
    }
    for (size_t i = 0; i < checkpoint->nfiles; i++)
        check_file(checkpoint, (int32_t)i);
    check_config(&checkpoint->config);
    if (checkpoint->warnings.size > 0)
        fuzz_check_text(checkpoint->warnings.data, true);
}

static void check_packing(const struct cg_checkpoint *checkpoint)
{
    struct cg_checkpoint copy = {0};
    struct cg_buf packed = {0}, again = {0};
    struct cg_err err = {0};
    assert(cg_checkpoint_pack(checkpoint, &packed, &err) == 0);
    struct cg_unpacker from = {packed.data, packed.data + packed.size};
    assert(cg_checkpoint_unpack(&copy, &from, &err) == 0);
    assert(from.at == from.end);
    assert(cg_checkpoint_pack(&copy, &again, &err) == 0);
    assert(again.size == packed.size && memcmp(again.data, packed.data, packed.size) == 0);
    cg_buf_release(&again);
    cg_checkpoint_release(&copy);
    cg_buf_release(&packed);
}

void fuzz_open(const char *name)
{
    static const struct cg_checkpoint empty;
    struct cg_checkpoint checkpoint = {0};
    struct cg_err err = {0};
    if (cg_checkpoint_open(&checkpoint, scratch_path(fuzz_scratch(), name), &err) == 0) {
        assert(err.code == CG_OK);
        check_accepted(&checkpoint);
        check_packing(&checkpoint);
    } else {
        assert(err.code != CG_OK);
        fuzz_check_text(err.text, false);
        assert(memcmp(&checkpoint, &empty, sizeof empty) == 0);
    }
    cg_checkpoint_release(&checkpoint);
}
