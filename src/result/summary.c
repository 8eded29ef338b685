#include "summary_parts.h"
#include <errno.h>
#include <langinfo.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Under a launcher standard output is a pseudo-terminal of the launcher's, even where the user sends it to a
 * file. */
static bool is_launched(void)
{
    return getenv("OMPI_COMM_WORLD_SIZE") || getenv("PMIX_RANK");
}

/* The locale is what setlocale made of the environment; main calls it. */
struct cg_style cg_style_of(FILE *out)
{
    const char *no_colour = getenv("NO_COLOR");
    const char *terminal = getenv("TERM");
    bool dumb = terminal && strcmp(terminal, "dumb") == 0;
    return (struct cg_style){
        .utf8 = strcmp(nl_langinfo(CODESET), "UTF-8") == 0,
        .colour = isatty(fileno(out)) && !is_launched() && !(no_colour && *no_colour) && !dumb,
    };
}

static void print_notes(struct cg_page page, const char *notes)
{
    if (!notes || strspn(notes, " \n") == strlen(notes))
        return;
    cg_page_heading(page, "Notes");
    cg_page_items(page, 2, cg_page_bullet(page.style), notes);
}

int cg_summary_print(FILE *out, const struct cg_result *result, struct cg_style style, struct cg_err *err)
{
    struct cg_page page = {out, style};
    cg_page_ink(page, "1");
    cg_page_items(page, 0, "", result->source ? result->source : "cognate");
    cg_page_ink(page, "0");
    if (cg_summary_models(page, result, err) < 0 || cg_summary_skipped(page, result, err) < 0 ||
        cg_summary_architecture(page, result, err) < 0 || cg_summary_pairs(page, result, err) < 0 ||
        cg_summary_pca(page, result, err) < 0)
        return -1;
    print_notes(page, result->notes);
    if (fflush(out) != 0 || ferror(out))
        return cg_fail(err, CG_EIO, "summary: %s", strerror(errno));
    return 0;
}
