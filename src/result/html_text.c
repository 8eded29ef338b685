#include "cognate/mem.h"
#include "cognate/text.h"
#include "html_parts.h"
#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

static void put_character(FILE *out, const char *character, size_t length)
{
    switch (*character) {
    case '&':
        fputs("&amp;", out);
        break;
    case '<':
        fputs("&lt;", out);
        break;
    case '>':
        fputs("&gt;", out);
        break;
    case '"':
        fputs("&quot;", out);
        break;
    case '\'':
        fputs("&#39;", out);
        break;
    default:
        fwrite(character, 1, length, out);
    }
}

/* XML allows neither control characters nor U+FFFE and U+FFFF (EF BF BE, EF BF BF); C1 controls are C2 80 to
 * C2 9F. */
static bool is_shown(const char *at, size_t length)
{
    const unsigned char *byte = (const unsigned char *)at;
    if (length < 2)
        return length == 1 && *byte >= ' ' && *byte != 0x7F;
    if (byte[0] == 0xC2 && byte[1] < 0xA0)
        return false;
    if (length == 3 && byte[0] == 0xEF && byte[1] == 0xBF && byte[2] >= 0xBE)
        return false;
    return !cg_page_hides(at, length);
}

void cg_html_text(FILE *out, const char *text)
{
    while (*text) {
        size_t length = cg_utf8_length(text, strnlen(text, 4));
        if (is_shown(text, length))
            put_character(out, text, length);
        else
            fputs("\uFFFD", out);
        text += length > 0 ? length : 1;
    }
}

void cg_html_fill(FILE *out, const char *markup, const char *const *texts)
{
    for (; *markup; markup++)
        if (*markup == '$')
            cg_html_text(out, *texts++);
        else
            fputc(*markup, out);
}

int cg_html_lines(FILE *out, const char *lines, struct cg_err *err)
{
    bool open = false;
    for (lines += strspn(lines, "\n"); *lines; lines += strspn(lines, "\n")) {
        size_t n = strcspn(lines, "\n");
        char *line = cg_copy_text(lines, n, err);
        if (!line)
            return -1;
        cg_html(out, open ? "<li>$</li>" : "<ul><li>$</li>", line);
        free(line);
        open = true;
        lines += n;
    }
    fputs(open ? "</ul>\n" : "", out);
    return 0;
}

void cg_html_model(FILE *out, const struct cg_result *result, int64_t model)
{
    cg_html(out, "<span class=\"model\"><i>$</i>&#160;<bdi>$</bdi></span>", cg_show_count(model + 1).text,
            cg_model_label(result, model));
}

void cg_html_place(FILE *out, double value)
{
    double tenths = round(10 * value);
    fprintf(out, fmod(tenths, 10) == 0 ? "%.0f" : "%.1f", tenths / 10 + 0.0);
}

struct cg_verdict_look cg_verdict_look(const char *verdict)
{
    static const struct cg_verdict_look looks[] = {{"IDENTICAL", "I", "identical"},
                                                   {"DERIVED", "D", "derived"},
                                                   {"PARTIAL", "P", "partial"},
                                                   {"NO EVIDENCE", "n", "none"},
                                                   {"INCONCLUSIVE", "?", "uncertain"}};
    size_t n = sizeof looks / sizeof *looks;
    for (size_t i = 0; i < n; i++)
        if (strcmp(looks[i].verdict, verdict) == 0)
            return looks[i];
    return looks[n - 1];
}

void cg_html_badge(FILE *out, const char *verdict)
{
    cg_html(out, "<b class=\"badge $\">$</b>", cg_verdict_look(verdict).class_name,
            *verdict ? verdict : "no verdict");
}
