#include "summary_parts.h"
#include <inttypes.h>
#include <math.h>
#include <string.h>

static struct cg_number absent(void)
{
    return (struct cg_number){"-"};
}

/* Rounded to four decimals, 0.99998 would read as identity and 2e-07 as none at all: both show what they are.
 */
struct cg_number cg_show_cosine(double cosine)
{
    struct cg_number out;
    double size = fabs(cosine);
    int decimals = 4;
    if (isnan(cosine))
        return absent();
    if (size > 0 && size < 0.00005) {
        snprintf(out.text, sizeof out.text, "%.0e", cosine);
        return out;
    }
    /* beyond six decimals it is cut, not rounded */
    while (size < 1 && decimals < 6 && size >= 1 - 0.5 * pow(10, -decimals))
        decimals++;
    if (size < 1 && size > 0.999999)
        cosine = copysign(0.999999, cosine);
    snprintf(out.text, sizeof out.text, "%.*f", decimals, cosine);
    return out;
}

struct cg_number cg_show_score(double score)
{
    struct cg_number out;
    if (isnan(score))
        return absent();
    snprintf(out.text, sizeof out.text, "%.3g", score);
    return out;
}

struct cg_number cg_show_t(double t)
{
    struct cg_number out;
    if (isnan(t))
        return absent();
    snprintf(out.text, sizeof out.text, "%.1f", fabs(t) < 0.05 ? 0.0 : t);
    return out;
}

/* A p-value is kept as its logarithm, since 10^-400 is no double. The exponent is rounded up, so that nobody
 * is accused by rounding. */
struct cg_number cg_show_p(double log10_p, struct cg_style style)
{
    struct cg_number out;
    if (isnan(log10_p))
        return absent();
    if (log10_p > -3)
        snprintf(out.text, sizeof out.text, "%.2g", pow(10, log10_p));
    else if (isinf(log10_p))
        snprintf(out.text, sizeof out.text, "0");
    else
        snprintf(out.text, sizeof out.text, "%s%.0f", style.utf8 ? "10^" : "1e", ceil(log10_p));
    return out;
}

struct cg_number cg_show_count(int64_t count)
{
    struct cg_number out = {""};
    char digits[24];
    if (count < 0)
        return absent();
    int n = snprintf(digits, sizeof digits, "%" PRId64, count);
    for (int i = 0, at = 0; i < n; i++) {
        if (i > 0 && (n - i) % 3 == 0)
            out.text[at++] = ',';
        out.text[at++] = digits[i];
    }
    return out;
}

/* A unit is left for the next one where one decimal would round to 1000.0. */
struct cg_number cg_show_size(int64_t bytes)
{
    static const char *const unit[] = {"B", "kB", "MB", "GB", "TB", "PB", "EB"};
    struct cg_number out;
    double value = (double)bytes;
    int power = 0;
    if (bytes < 0)
        return absent();
    for (; value >= (power == 0 ? 1000 : 999.95); power++)
        value /= 1000;
    snprintf(out.text, sizeof out.text, "%.*f %s", power == 0 ? 0 : 1, value, unit[power]);
    return out;
}

/* "100 %" and "0 %" are kept for all and nothing. */
struct cg_number cg_show_weight(double weight)
{
    struct cg_number out;
    if (isnan(weight))
        return absent();
    snprintf(out.text, sizeof out.text, "%.3f", fabs(weight) < 0.0005 ? 0.0 : weight);
    return out;
}

struct cg_number cg_show_share(double share)
{
    struct cg_number out;
    if (isnan(share))
        return absent();
    if (share == 0 || share == 1)
        snprintf(out.text, sizeof out.text, "%.0f %%", 100 * share);
    else if (share < 0.0005)
        snprintf(out.text, sizeof out.text, "under 0.1 %%");
    else if (share >= 0.9995)
        snprintf(out.text, sizeof out.text, "over 99.9 %%");
    else
        snprintf(out.text, sizeof out.text, "%.1f %%", 100 * share);
    return out;
}
