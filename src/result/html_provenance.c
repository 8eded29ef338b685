/* Where the numbers come from, and what each is. */
#include "cognate/mem.h"
#include "cognate/text.h"
#include "h5.h"
#include "html_parts.h"
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

static int by_text(const void *x, const void *y)
{
    return strcmp(*(char *const *)x, *(char *const *)y);
}

/* How many different texts there are; sorts the pointers. */
static int64_t count_distinct(char **texts, int64_t n)
{
    int64_t distinct = n > 0;
    qsort(texts, (size_t)n, sizeof *texts, by_text);
    for (int64_t i = 1; i < n; i++)
        distinct += strcmp(texts[i - 1], texts[i]) != 0;
    return distinct;
}

/* A model's digests: slots that have one, how many differ, and the digest of all in the order of /tensors. */
struct digests {
    int64_t slots, distinct;
    char all[CG_SHA256_HEX];
};

static int digests_of(struct digests *out, const struct cg_result *result, int64_t model, struct cg_err *err)
{
    int64_t models = result->size[CG_DIM_MODEL], slots = result->size[CG_DIM_TENSOR];
    struct cg_buf text = {0};
    char **list = cg_new((size_t)slots, sizeof *list, err);
    int status = -1;
    *out = (struct digests){0};
    if (!list)
        return -1;
    for (int64_t s = 0; s < slots; s++) {
        char *digest = result->tensors.sha256[s * models + model];
        if (*digest == '\0')
            continue;
        list[out->slots++] = digest;
        CG_TRY(cg_buf_append(&text, digest, strlen(digest), err));
    }
    CG_TRY(cg_h5_sha256(text.data ? text.data : "", text.size, out->all, err));
    out->distinct = count_distinct(list, out->slots);
    status = 0;
done:
    cg_buf_release(&text);
    free(list);
    return status;
}

static int put_digests(FILE *out, const struct cg_result *result, struct cg_err *err)
{
    fputs("<h3>Digests</h3>\n<div class=\"scroll\"><table "
          "class=\"digests\"><thead><tr><th>model</th><th>slots</th>"
          "<th>different</th><th class=\"text\">SHA-256 of all their SHA-256</th></tr></thead><tbody>\n",
          out);
    for (int64_t m = 0; m < result->size[CG_DIM_MODEL]; m++) {
        struct digests digests;
        if (digests_of(&digests, result, m, err) < 0)
            return -1;
        fputs("<tr><th scope=\"row\">", out);
        cg_html_model(out, result, m);
        cg_html(out, "</th><td>$</td><td>$</td><td class=\"text wrap path\"><code>$</code></td></tr>\n",
                cg_show_count(digests.slots).text, cg_show_count(digests.distinct).text,
                digests.slots > 0 ? digests.all : "-");
    }
    fputs("</tbody></table></div>\n<p class=\"note\">The file holds the SHA-256 of every slot. Here: that of "
          "their hex "
          "digits, one after the other in the file's order.</p>\n",
          out);
    return 0;
}

static struct cg_number show_seconds(double seconds)
{
    struct cg_number out;
    snprintf(out.text, sizeof out.text, isnan(seconds) ? "-" : "%.2f s", seconds);
    return out;
}

static void put_run(FILE *out, const struct cg_run *run, const char *source)
{
    cg_html(out,
            "<dl><dt>Made by</dt><dd>$</dd><dt>Made</dt><dd>$</dd><dt>Command</dt><dd><code>$</code></dd>\n",
            source ? source : "cognate", run->date_created ? run->date_created : "-",
            run->history ? run->history : "-");
    cg_html(
        out, "<dt>Ranks</dt><dd>$ on $ hosts</dd><dt>Time</dt><dd>$; reading $ on average, $ at most</dd>\n",
        cg_show_count(run->ranks).text, cg_show_count(run->hosts).text, show_seconds(run->wall_seconds).text,
        show_seconds(run->read_seconds_mean).text, show_seconds(run->read_seconds_max).text);
    cg_html(out,
            "<dt>Read</dt><dd>$ bytes, $ of them again</dd><dt>Memory</dt><dd>$ a rank at most</dd></dl>\n",
            cg_show_count(run->bytes_read).text, cg_show_count(run->bytes_reread).text,
            cg_show_size(run->peak_rss_bytes_max).text);
}

int cg_html_provenance(FILE *out, const struct cg_result *result, struct cg_err *err)
{
    fputs("<section id=\"provenance\"><h2>Provenance</h2>\n", out);
    put_run(out, &result->run, result->source);
    if (put_digests(out, result, err) < 0)
        return -1;
    fputs("</section>\n", out);
    return 0;
}

void cg_html_glossary(FILE *out)
{
    static const char *const terms[][2] = {
        {"slot",
         "a place in the transformer, such as the query matrix of layer 3; fused tensors are taken apart"},
        {"cosine", "of the elements of two tensors of one shape, in the basis they are stored in"},
        {"centred", "the same after each tensor's mean is taken away"},
        {"shifts", "the panel, up to 262,144 elements of a slot, is compared again with the residual axis of "
                   "b rolled, by "
                   "31 shifts spread over it: what strangers show. t is the distance of the unshifted panel "
                   "cosine from "
                   "these, Student's t with 30 degrees of freedom; independent models stay near -3 to 3"},
        {"hidden units",
         "of a feed-forward block or expert, matched with every block of the other model: by their "
         "rows (without a gate by rows of up and columns of down), by their answers to shared tokens, by "
         "the products of the two projections, and exactly in the order stored. That finds what was "
         "permuted, moved, cut or rotated"},
        {"p", "probability that strangers show as much in any of the slots or blocks tested (Bonferroni); "
              "one passes below 1e-12. Rounded up"},
        {"DERIVED",
         "matrices of two roles pass, in two of embedding, attention and feed-forward, or blocks of two "
         "layers answer tokens alike. Likeness has no direction: the two share trained weights, whichever "
         "was first"},
        {"PARTIAL", "only one of these groups passes, and is named"},
        {"NO EVIDENCE",
         "none passes, and a relative that kept a tenth of the weights' variance would have been seen"},
        {"INCONCLUSIVE", "shapes or power do not allow to say more"},
        {"detection limit",
         "the smallest cosine of related matrices that the tests of this run would have seen"},
        {"plain method",
         "reads a relation from the mean plain cosine. Norm weights are nearly all positive, and those "
         "of unrelated models reach 0.95 to 0.99; so it accuses strangers and carries no weight"},
        {"depth profile", "mean cosine of the slots of a role group, layer for layer of the same index"},
        {"layer against layer",
         "mean cosine of the matrices of two layers of one index; of their matched hidden units "
         "where the index differs"},
        {"shared tokens",
         "tokens of the same bytes in both vocabularies; their rows of the input embedding are "
         "compared, whatever their numbers"},
        {"components", "principal components of the matrices of all models; like norms they carry no weight"},
    };
    fputs("<section id=\"glossary\"><h2>What the numbers are</h2>\n<dl>", out);
    for (size_t i = 0; i < sizeof terms / sizeof *terms; i++)
        cg_html(out, "<dt>$</dt><dd>$.</dd>\n", terms[i][0], terms[i][1]);
    fputs("</dl></section>\n", out);
}
