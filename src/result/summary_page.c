#include "cognate/text.h"
#include "summary_parts.h"
#include <math.h>
#include <stdarg.h>
#include <string.h>
#include <wchar.h>

enum { FIELD_NAME = 16, FIELD_TEXT = 2048 };

/* One character as it is shown. */
struct glyph {
    char bytes[5];
    int columns;
};

/* The code point of a valid UTF-8 sequence. By hand, since mbrtowc would depend on the locale. */
static wchar_t decode(const char *text, size_t length)
{
    static const unsigned char lead[] = {0, 0x7F, 0x1F, 0x0F, 0x07};
    wchar_t code = (unsigned char)text[0] & lead[length];
    for (size_t i = 1; i < length; i++)
        code = code << 6 | ((unsigned char)text[i] & 0x3F);
    return code;
}

bool cg_page_hides(const char *character, size_t length)
{
    wchar_t code = decode(character, length);
    return (code >= 0x200B && code <= 0x200F) || (code >= 0x202A && code <= 0x202E) ||
           (code >= 0x2060 && code <= 0x206F) || code == 0xFEFF;
}

/* Takes one character off the front of a text that is not empty. */
static struct glyph next_glyph(const char **text, struct cg_style style)
{
    struct glyph glyph = {.bytes = "?", .columns = 1};
    size_t length = cg_utf8_length(*text, strnlen(*text, 4));
    if (length == 1 && **text >= ' ' && **text != 0x7F) {
        glyph.bytes[0] = **text;
    } else if (length > 1 && style.utf8) {
        int columns = cg_page_hides(*text, length) ? -1 : wcwidth(decode(*text, length));
        if (columns >= 0) {
            memcpy(glyph.bytes, *text, length);
            glyph.columns = columns;
        }
    }
    *text += length > 0 ? length : 1;
    return glyph;
}

int cg_page_width(const char *text, struct cg_style style)
{
    int columns = 0;
    while (*text)
        columns += next_glyph(&text, style).columns;
    return columns;
}

/* The text is measured first: an ellipsis must not stand where the last character would have fitted.
 * Combining marks take bytes but no columns, so bytes are watched too. */
void cg_page_fit(char out[CG_FIT_BYTES], const char *text, int columns, struct cg_style style)
{
    const char *ellipsis = style.utf8 ? "\u2026" : "~";
    bool whole = cg_page_width(text, style) <= columns;
    int room = whole ? columns : columns - 1;
    size_t at = 0;
    for (int used = 0; *text;) {
        struct glyph glyph = next_glyph(&text, style);
        used += glyph.columns;
        whole = whole && at + sizeof glyph.bytes + 4 <= CG_FIT_BYTES;
        if (used > room || at + sizeof glyph.bytes + 4 > CG_FIT_BYTES)
            break;
        memcpy(out + at, glyph.bytes, strlen(glyph.bytes));
        at += strlen(glyph.bytes);
    }
    out[at] = '\0';
    if (!whole && columns > 0)
        memcpy(out + at, ellipsis, strlen(ellipsis) + 1);
}

void cg_page_cell(struct cg_page page, const char *text, int columns, bool right)
{
    char fitted[CG_FIT_BYTES];
    cg_page_fit(fitted, text, columns, page.style);
    int blank = columns - cg_page_width(fitted, page.style);
    fprintf(page.out, "%*s%s%*s", right ? blank : 0, "", fitted, right ? 0 : blank, "");
}

/* The columns of the word at the front of the text. */
static int word_width(const char *text, struct cg_style style)
{
    int columns = 0;
    for (const char *end = text + strcspn(text, " \n"); text < end;)
        columns += next_glyph(&text, style).columns;
    return columns;
}

/* Writes a word that starts at column `at`, broken where it is longer than a line; returns the new column. */
static int put_word(struct cg_page page, const char **text, int left, int at)
{
    for (const char *end = *text + strcspn(*text, " \n"); *text < end;) {
        struct glyph glyph = next_glyph(text, page.style);
        if (at + glyph.columns > CG_PAGE_COLUMNS) {
            fprintf(page.out, "\n%*s", left, "");
            at = left;
        }
        fputs(glyph.bytes, page.out);
        at += glyph.columns;
    }
    return at;
}

/* Writes the first line of text, wrapped; returns what follows it. */
static const char *put_item(struct cg_page page, int indent, const char *mark, const char *text)
{
    int left = indent + cg_page_width(mark, page.style), at = left;
    fprintf(page.out, "%*s%s", indent, "", mark);
    for (text += strspn(text, " "); *text && *text != '\n'; text += strspn(text, " ")) {
        if (at > left && at + 1 + word_width(text, page.style) > CG_PAGE_COLUMNS) {
            fprintf(page.out, "\n%*s", left, "");
            at = left;
        } else if (at > left) {
            fputc(' ', page.out);
            at++;
        }
        at = put_word(page, &text, left, at);
    }
    fputc('\n', page.out);
    return *text ? text + 1 : text;
}

void cg_page_items(struct cg_page page, int indent, const char *mark, const char *text)
{
    for (text += strspn(text, " \n"); *text; text += strspn(text, " \n"))
        text = put_item(page, indent, mark, text);
}

void cg_page_field(struct cg_page page, const char *name, const char *format, ...)
{
    char mark[FIELD_NAME + 1], text[FIELD_TEXT];
    snprintf(mark, sizeof mark, "%-*s", FIELD_NAME, name);
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    put_item(page, 2, mark, *text ? text : "-");
}

void cg_page_caption(struct cg_page page, const char *text)
{
    cg_page_ink(page, "2");
    cg_page_items(page, 2, "", text);
    cg_page_ink(page, "0");
}

void cg_page_heading(struct cg_page page, const char *text)
{
    fputc('\n', page.out);
    cg_page_ink(page, "1");
    cg_page_items(page, 0, "", text);
    cg_page_ink(page, "0");
}

void cg_page_ink(struct cg_page page, const char *code)
{
    if (page.style.colour)
        fprintf(page.out, "\033[%sm", code);
}

void cg_page_bar(struct cg_page page, double value, int columns)
{
    /* blocks of one to seven eighths are U+258F down to U+2589 */
    double share = value > 0 ? fmin(value, 1) : 0;
    int eighths = (int)lround(share * columns * 8);
    if (!page.style.utf8)
        eighths = (eighths + 4) / 8 * 8;
    for (int i = 0; i < columns; i++, eighths -= 8) {
        if (eighths >= 8)
            fputs(page.style.utf8 ? "\u2588" : "#", page.out);
        else if (eighths > 0)
            fprintf(page.out, "\xE2\x96%c", 0x90 - eighths);
        else
            fputc(' ', page.out);
    }
}

const char *cg_page_arrow(struct cg_style style)
{
    return style.utf8 ? "\u2192" : "->";
}

const char *cg_page_bullet(struct cg_style style)
{
    return style.utf8 ? "\u2022 " : "- ";
}
