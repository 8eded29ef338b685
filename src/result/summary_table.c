#include "cognate/mem.h"
#include "summary_parts.h"
#include <assert.h>
#include <ctype.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

enum { INDENT = 2, GAP = 2, NARROWEST = 4 };

int cg_text_table_add(struct cg_text_table *table, struct cg_err *err, const char *format, ...)
{
    char text[CG_FIT_BYTES];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    if (cg_grow((void **)&table->cells, &table->capacity, table->count + 1, sizeof *table->cells, err) < 0)
        return -1;
    table->cells[table->count] = cg_copy_text(text, strlen(text), err);
    return table->cells[table->count++] ? 0 : -1;
}

int cg_text_table_heads(struct cg_text_table *table, const char *const *heads, struct cg_err *err)
{
    for (size_t i = 0; i < strlen(table->kinds); i++)
        if (cg_text_table_add(table, err, "%s", heads[i]) < 0)
            return -1;
    return 0;
}

/* The width of a column, 0 when it says nothing. */
static int natural_width(const struct cg_text_table *table, size_t column, struct cg_style style)
{
    size_t columns = strlen(table->kinds);
    int widest = 0;
    for (size_t i = columns + column; i < table->count; i += columns) {
        int width = cg_page_width(table->cells[i], style);
        widest = width > widest ? width : widest;
    }
    int head = cg_page_width(table->cells[column], style);
    return widest > 0 && head > widest ? head : widest;
}

/* Columns that a line takes; a column left out takes no gap either. */
static int total_width(const int *widths, size_t columns)
{
    int total = INDENT - GAP;
    for (size_t i = 0; i < columns; i++)
        total += widths[i] > 0 ? widths[i] + GAP : 0;
    return total;
}

/* Takes from the widest column that may be cut until the table fits. Whether it had to. */
static bool shrink(const struct cg_text_table *table, int *widths)
{
    size_t columns = strlen(table->kinds);
    bool cut = false;
    while (total_width(widths, columns) > CG_PAGE_COLUMNS) {
        int *widest = NULL;
        for (size_t i = 0; i < columns; i++)
            if (isupper((unsigned char)table->kinds[i]) && (!widest || widths[i] > *widest))
                widest = &widths[i];
        if (!widest || *widest <= NARROWEST)
            break;
        --*widest;
        cut = true;
    }
    return cut;
}

static void print_row(const struct cg_text_table *table, size_t row, const int *widths, struct cg_page page)
{
    size_t columns = strlen(table->kinds);
    int gap = INDENT, owed = 0; /* padding is written only when something follows it */
    for (size_t i = 0; i < columns; i++) {
        const char *text = table->cells[row * columns + i];
        char fitted[CG_FIT_BYTES];
        if (widths[i] == 0)
            continue;
        cg_page_fit(fitted, text, widths[i], page.style);
        int blank = widths[i] - cg_page_width(fitted, page.style);
        bool right = tolower((unsigned char)table->kinds[i]) == 'r';
        owed += gap + (right ? blank : 0);
        if (*fitted) {
            fprintf(page.out, "%*s%s", owed, "", fitted);
            owed = 0;
        }
        owed += right ? 0 : blank;
        gap = GAP;
    }
    fputc('\n', page.out);
}

bool cg_text_table_print(const struct cg_text_table *table, struct cg_page page)
{
    int widths[CG_TABLE_COLUMNS];
    size_t columns = strlen(table->kinds);
    assert(columns <= CG_TABLE_COLUMNS && table->count % columns == 0);
    for (size_t i = 0; i < columns; i++)
        widths[i] = natural_width(table, i, page.style);
    bool cut = shrink(table, widths);
    for (size_t row = 0; row < table->count / columns; row++) {
        cg_page_ink(page, row == 0 ? "2" : "0");
        print_row(table, row, widths, page);
    }
    cg_page_ink(page, "0");
    return cut;
}

void cg_text_table_release(struct cg_text_table *table)
{
    for (size_t i = 0; i < table->count; i++)
        free(table->cells[i]);
    free(table->cells);
    *table = (struct cg_text_table){0};
}
