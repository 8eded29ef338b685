#include "cognate/vocabulary.h"
#include "cognate/mem.h"
#include "file.h"
#include "vocabulary_source.h"
#include <dirent.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { HEAD_BYTES = 256 };

static const char *const usual_of_gpt[] = {"<|endoftext|>", "<s>", "</s>", "<unk>", "<pad>", "<mask>", NULL};
static const char *const usual_of_bert[] = {"[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", NULL};
static const char *const none_usual[] = {NULL};

/* In the order in which they are looked for. */
static const struct cg_vocabulary_source sources[] = {
    {"tokenizers", "tokenizer.json", NULL, cg_tokenizer_json_load, NULL, NULL},
    {"tekken", "tekken.json", NULL, cg_tekken_load, NULL, NULL},
    {"JSON map", "vocab.json", NULL, cg_vocab_json_load, usual_of_gpt, NULL},
    {"WordPiece", "vocab.txt", NULL, cg_vocab_txt_load, usual_of_bert, NULL},
    {"tiktoken", "tokenizer.model", cg_tiktoken_recognises, cg_tiktoken_load, none_usual, NULL},
    {"SentencePiece", "tokenizer.model", NULL, cg_sentencepiece_load, none_usual, NULL},
    {"SentencePiece", "spiece.model", NULL, cg_sentencepiece_load, none_usual, NULL},      /* T5, ALBERT */
    {"SentencePiece", "spm.model", NULL, cg_sentencepiece_load, none_usual, NULL},         /* DeBERTa */
    {"SentencePiece", "sentencepiece.bpe.model", NULL, cg_fairseq_load, none_usual, NULL}, /* XLM-R, NLLB */
    {"tiktoken", "tiktoken.model", NULL, cg_tiktoken_load, none_usual, NULL},
    {"tiktoken", "*.tiktoken", NULL, cg_tiktoken_load, none_usual, NULL},
};

/* Of a model whose own file holds its vocabulary. */
static const struct cg_vocabulary_source own = {"GGUF", NULL, NULL, NULL, NULL, cg_gguf_vocabulary_read};

static bool is_file(const char *path)
{
    struct stat status;
    return stat(path, &status) == 0 && S_ISREG(status.st_mode);
}

int cg_vocabulary_excuse(const struct cg_err *why, const char *consequence, struct cg_buf *warnings,
                         struct cg_err *err)
{
    if (why->code == CG_OK)
        return 0;
    if (why->code == CG_ENOMEM)
        return cg_fail(err, why->code, "%s", why->text);
    return cg_buf_printf(warnings, err, "%s; %s\n", why->text, consequence);
}

/* Sets *name, on the heap, to the first name in the folder that ends in `suffix`; NULL where there is none
 * or the folder cannot be listed. */
static int find_suffix(char **name, const char *folder, const char *suffix, struct cg_err *err)
{
    DIR *directory = opendir(folder);
    int result = 0;
    for (struct dirent *found; result == 0 && directory && (found = readdir(directory));) {
        if (!cg_ends_with(found->d_name, suffix) || found->d_name[0] == '.' ||
            (*name && strcmp(*name, found->d_name) < 0))
            continue;
        free(*name);
        *name = cg_copy_text(found->d_name, strlen(found->d_name), err);
        result = *name ? 0 : -1;
    }
    if (directory)
        closedir(directory);
    return result;
}

/* Sets *name, on the heap, to the name of the source's file, or NULL where there is none. */
static int find_name(char **name, const char *folder, const char *file, struct cg_err *err)
{
    if (file[0] == '*')
        return find_suffix(name, folder, file + 1, err);
    struct stat status;
    char *path = cg_path_join(folder, file, err);
    if (!path)
        return -1;
    bool there = lstat(path, &status) == 0;
    free(path);
    *name = there ? cg_copy_text(file, strlen(file), err) : NULL;
    return there && !*name ? -1 : 0;
}

/* 1 when the file shows the source's format, 0 when not, -1 for want of memory. A file that cannot be read
 * does not: the row behind takes it, and says why when it loads it. */
static int shows_format(const struct cg_vocabulary_source *source, const char *folder, const char *name,
                        struct cg_err *err)
{
    if (!source->recognises)
        return 1;
    struct cg_err why = {0};
    struct cg_file file = {0};
    char head[HEAD_BYTES];
    char *path = cg_path_of_member(folder, name, &why);
    int descriptor = path ? cg_file_open(&file, path, &why) : -1;
    size_t n = file.bytes < HEAD_BYTES ? (size_t)file.bytes : HEAD_BYTES;
    int shows = descriptor >= 0 && cg_file_read(descriptor, path, head, n, 0, &why) == 0 &&
                source->recognises(head, n);
    if (why.code == CG_ENOMEM)
        shows = cg_fail(err, why.code, "%s", why.text);
    if (descriptor >= 0)
        close(descriptor);
    free(file.path);
    free(path);
    return shows;
}

/* Sets *name and *source, or leaves *name NULL. */
static int find(char **name, const struct cg_vocabulary_source **source, const char *folder,
                struct cg_err *err)
{
    int shows = 0;
    if (is_file(folder)) {
        const char *last = cg_last_part(folder);
        *source = &own;
        *name = cg_copy_text(last, strlen(last), err);
        return *name ? 0 : -1;
    }
    for (size_t row = 0; row < sizeof sources / sizeof *sources && shows == 0; row++) {
        *source = &sources[row];
        if (find_name(name, folder, sources[row].file, err) < 0)
            return -1;
        if (*name)
            shows = shows_format(&sources[row], folder, *name, err);
        if (shows <= 0) {
            free(*name);
            *name = NULL;
        }
    }
    return shows < 0 ? -1 : 0;
}

int cg_vocabulary_find(char **name, const char **format, const char *folder, struct cg_err *err)
{
    const struct cg_vocabulary_source *source;
    *name = NULL;
    int result = find(name, &source, folder, err);
    *format = *name ? source->format : NULL;
    return result;
}

static int load_list(struct cg_token_list *list, const struct cg_vocabulary_source *source,
                     const char *folder, struct cg_buf *warnings, struct cg_err *err)
{
    struct cg_buf text = {0};
    int result = -1;
    if (source->read)
        return source->read(list, err);
    CG_TRY(cg_file_slurp(&text, list->path, CG_VOCABULARY_BYTES, err));
    if (cg_starts_with(text.data, "version https://git-lfs")) {
        cg_fail_at(err, CG_EFORMAT, list->path, NULL, -1,
                   "a Git LFS pointer, not the file it stands for: fetch it with git lfs pull");
        goto done;
    }
    if (source->usual)
        CG_TRY(cg_added_tokens_load(list, folder, source->usual, warnings, err));
    CG_TRY(source->load(list, &text, err));
    if (list->bytes.size == list->added && list->malformed > 0)
        cg_fail_at(err, CG_EFORMAT, list->path, NULL, -1, "holds no token as %s has them", source->format);
    else
        result = 0;
done:
    cg_buf_release(&text);
    return result;
}

/* Of a file that cannot be used, the warning is all that is left. */
static int load_named(struct cg_vocabulary *out, const struct cg_vocabulary_source *source,
                      const char *folder, const char *name, struct cg_buf *warnings, struct cg_err *err)
{
    struct cg_err why = {0};
    struct cg_token_list list = {0};
    char *path =
        source == &own ? cg_copy_text(folder, strlen(folder), &why) : cg_path_of_member(folder, name, &why);
    list.path = path;
    int result = -1;
    if (!path || load_list(&list, source, folder, warnings, &why) < 0) {
        result = cg_vocabulary_excuse(&why, "no token is compared", warnings, err);
        goto done;
    }
    cg_token_list_settle(&list);
    CG_TRY(cg_token_list_report(&list, warnings, err));
    *out = (struct cg_vocabulary){true, list.bytes.data, list.bytes.size, list.tokens, list.n};
    list.bytes = (struct cg_buf){0};
    list.tokens = NULL;
    result = 0;
done:
    cg_token_list_release(&list);
    free(path);
    return result;
}

int cg_vocabulary_load(struct cg_vocabulary *out, const char *folder, struct cg_buf *warnings,
                       struct cg_err *err)
{
    const struct cg_vocabulary_source *source;
    char *name = NULL;
    int result = find(&name, &source, folder, err);
    if (result == 0 && name)
        result = load_named(out, source, folder, name, warnings, err);
    free(name);
    return result;
}

void cg_vocabulary_release(struct cg_vocabulary *vocabulary)
{
    free(vocabulary->bytes);
    free(vocabulary->tokens);
    *vocabulary = (struct cg_vocabulary){0};
}
