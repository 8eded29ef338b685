#include "html_parts.h"
#include "publish.h"
#include <errno.h>
#include <string.h>
#include <unistd.h>

/* "base-a and a-sft", or how many there are. */
static void put_title(FILE *out, const struct cg_result *result)
{
    int64_t models = result->size[CG_DIM_MODEL], pairs = result->size[CG_DIM_PAIR];
    if (models == 2)
        cg_html(out, "<h1><bdi>$</bdi> and <bdi>$</bdi></h1>\n", cg_model_label(result, 0),
                cg_model_label(result, 1));
    else
        cg_html(out, "<h1>$ models, $ pairs compared</h1>\n", cg_show_count(models).text,
                cg_show_count(pairs).text);
    cg_html(out, "<p class=\"soft\">Descent of language models, from their weights alone. $$$</p>\n",
            result->source ? result->source : "cognate", result->run.date_created ? ", " : "",
            result->run.date_created ? result->run.date_created : "");
}

static int put_notes(FILE *out, const char *notes, struct cg_err *err)
{
    if (!notes || strspn(notes, " \n") == strlen(notes))
        return 0;
    fputs("<section id=\"notes\"><h2>Notes</h2>\n", out);
    if (cg_html_lines(out, notes, err) < 0)
        return -1;
    fputs("</section>\n", out);
    return 0;
}

int cg_summary_html(FILE *out, const struct cg_result *result, struct cg_err *err)
{
    cg_html_head(out, result);
    fputs("<main>\n", out);
    put_title(out, result);
    if (cg_html_overview(out, result, err) < 0)
        return -1;
    cg_html_merges(out, result);
    bool single = result->size[CG_DIM_PAIR] == 1; /* its verdict is what one opens the page for */
    if (single && cg_html_pairs(out, result, err) < 0)
        return -1;
    cg_html_models(out, result);
    if (!single && cg_html_pairs(out, result, err) < 0)
        return -1;
    if (cg_html_pca(out, result, err) < 0 || put_notes(out, result->notes, err) < 0 ||
        cg_html_provenance(out, result, err) < 0)
        return -1;
    cg_html_glossary(out);
    fputs("</main>\n</body>\n</html>\n", out);
    if (fflush(out) != 0 || ferror(out))
        return cg_fail(err, CG_EIO, "cannot write the page: %s", strerror(errno));
    return 0;
}

/* The stream has a descriptor of its own, so that closing it leaves the one to be flushed to disk. */
static int write_page(int descriptor, const void *result, struct cg_err *err)
{
    int copy = dup(descriptor);
    FILE *out = copy < 0 ? NULL : fdopen(copy, "w");
    if (!out) {
        int reason = errno;
        if (copy >= 0)
            close(copy);
        return cg_fail(err, CG_EIO, "cannot write the page: %s", strerror(reason));
    }
    int written = cg_summary_html(out, result, err);
    if (fclose(out) != 0 && written == 0)
        written = cg_fail(err, CG_EIO, "cannot write the page: %s", strerror(errno));
    return written;
}

int cg_summary_html_write(const struct cg_result *result, const char *path, struct cg_err *err)
{
    return cg_publish(&(struct cg_publication){.write = write_page, .record = result}, path, err);
}
