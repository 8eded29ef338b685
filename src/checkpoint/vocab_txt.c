/* vocab.txt: a word piece a line, whose number from 0 is the id. */
#include "vocabulary_source.h"
#include <string.h>

int cg_vocab_txt_load(struct cg_token_list *list, struct cg_buf *text, struct cg_err *err)
{
    const struct cg_token_coding word_piece = {CG_TOKEN_WORD_PIECE, "##"};
    const char *end = text->data + text->size;
    int64_t id = 0;
    for (const char *line = text->data; line < end; id++) {
        const char *next = memchr(line, '\n', (size_t)(end - line));
        next = next ? next : end;
        size_t n = (size_t)(next - line);
        n -= n > 0 && line[n - 1] == '\r';
        if (cg_token_list_add(list, word_piece, n > 0 ? line : NULL, n, id, false, err) < 0)
            return -1;
        line = next + (next < end);
    }
    return 0;
}
