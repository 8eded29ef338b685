/* All style of the page. Dark is for screens alone: paper is white. */
#include "html_parts.h"
#include <math.h>

static const char light[] =
    "--paper:#fff;--ink:#1b1f24;--soft:#59636e;--line:#d3d9e0;--link:#0a55a8;"
    "--identical:#4b2e9e;--derived:#0a5fae;--partial:#a35200;--none:#6b747e;"
    "--c0:#0072b2;--c1:#d55e00;--c2:#009e73;--c3:#b8609a;--c4:#c98a00;--c5:#3b9fd6;--c6:#1b1f24;--c7:#7a5230;"
    "--mark:#fff;--rim:#111";

static const char dark[] =
    "--paper:#14171b;--ink:#e4e7eb;--soft:#9aa4af;--line:#353c45;--link:#7fb8f0;"
    "--identical:#6d4fd0;--derived:#2176c7;--partial:#b86a10;--none:#59626c;"
    "--c0:#4ba3e3;--c1:#f28b4b;--c2:#35c89c;--c3:#e39cc9;--c4:#edb637;--c5:#93d3f7;--c6:#e4e7eb;--c7:#c49a6c;"
    "--mark:#111;--rim:#fff";

static const char frame[] =
    "*{box-sizing:border-box}\n"
    "html{background:var(--paper);color:var(--ink);-webkit-text-size-adjust:100%;\n"
    "font:16px/1.5 system-ui,-apple-system,'Segoe UI',Roboto,'Helvetica Neue','Noto Sans',Arial,sans-serif}\n"
    "body{margin:0}\n"
    "main{max-width:66rem;margin:0 auto;padding:1rem 1rem 4rem}\n"
    "h1,h2,h3,h4{line-height:1.25;font-weight:650;overflow-wrap:anywhere}\n"
    "h1{font-size:1.65rem;margin:.25rem 0}\n"
    "h2{font-size:1.25rem;margin:2.5rem 0 .75rem;padding-top:.75rem;border-top:1px solid var(--line)}\n"
    "h3{font-size:1.05rem;margin:1.5rem 0 .5rem}\n"
    "h4{font-size:1rem;margin:0 0 .4rem}\n"
    "p{margin:.5rem 0}\n"
    "a{color:var(--link)}\n"
    "ul{margin:.1rem 0;padding-left:1.2rem}\n"
    "li{margin:.15rem 0}\n"
    "dd,li,td,summary{overflow-wrap:anywhere}\n"
    "code{font:.85em/1.5 ui-monospace,'SF Mono',Menlo,Consolas,'DejaVu Sans Mono',monospace;\n"
    "overflow-wrap:anywhere}\n"
    ".soft,.note,figcaption{color:var(--soft);font-size:.875rem}\n"
    ".note{max-width:46rem}\n"
    ".plain{color:var(--soft)}\n"
    ".model i{font-style:normal;font-weight:400;color:var(--soft);font-size:.85em}\n"
    ".arrow{color:var(--soft);padding:0 .35em}\n"
    "dl{display:grid;grid-template-columns:8.5rem 1fr;gap:.3rem 1rem;margin:.5rem 0}\n"
    "dt{color:var(--soft)}\n"
    "dd{margin:0}\n"
    "dd ul{padding:0;list-style:none}\n"
    "dd li{margin:0 0 .2rem}\n";

static const char verdicts[] =
    ".badge{display:inline-block;padding:.05em .55em;border-radius:.25rem;color:#fff;font-size:.8em;\n"
    "letter-spacing:.03em;white-space:nowrap}\n"
    ".badge.identical,.matrix .identical{background:var(--identical)}\n"
    ".badge.derived,.matrix .derived{background:var(--derived)}\n"
    ".badge.partial,.matrix .partial{background:var(--partial)}\n"
    ".badge.none{background:var(--none)}\n"
    ".badge.uncertain{color:var(--ink);box-shadow:inset 0 0 0 1px var(--soft)}\n"
    ".counts{display:flex;flex-wrap:wrap;gap:.4rem 1.2rem;margin:.75rem 0;padding:0;list-style:none}\n"
    ".matrix td{padding:0;border:1px solid var(--paper)}\n"
    ".matrix .none{background:var(--line)}\n"
    ".matrix .uncertain{outline:1px dotted var(--soft);outline-offset:-2px}\n"
    ".matrix a{display:block;width:1.75rem;line-height:1.75rem;text-align:center;color:#fff;\n"
    "text-decoration:none}\n"
    ".matrix .none a,.matrix .uncertain a{color:var(--ink)}\n"
    ".matrix tr>th{border:0;padding:.15rem .5rem .15rem 0;font-weight:500;min-width:0;max-width:13rem;\n"
    "white-space:nowrap;overflow:hidden;text-overflow:ellipsis}\n"
    ".matrix .model{white-space:nowrap}\n"
    ".matrix thead>tr>th{padding:0 0 .3rem}\n"
    ".up{display:block;writing-mode:vertical-rl;transform:rotate(180deg);line-height:1.75rem;\n"
    "max-height:11rem;overflow:hidden;text-overflow:ellipsis;text-align:left}\n";

static const char tables[] =
    ".scroll{overflow-x:auto;margin:.5rem 0}\n"
    "table{border-collapse:collapse;font-size:.875rem;font-variant-numeric:tabular-nums}\n"
    "th,td{padding:.25rem .6rem;text-align:right;vertical-align:baseline;white-space:nowrap;\n"
    "border-bottom:1px solid var(--line)}\n"
    "th{font-weight:500}\n"
    "thead th{color:var(--soft);vertical-align:bottom}\n"
    "tbody th .model bdi,thead th .model bdi{font-weight:600;color:var(--ink)}\n"
    "tr>:first-child,.text{text-align:left}\n"
    "tr>:first-child{padding-left:0;position:sticky;left:0;background:var(--paper)}\n"
    ".wrap,.model{white-space:normal;overflow-wrap:anywhere}\n"
    ".wrap,tbody th{min-width:8rem;max-width:22rem}\n"
    "thead th .model{display:inline-block;min-width:5rem;max-width:14rem}\n"
    "td.path{min-width:14rem}\n"
    "td a{text-decoration:none}\n"
    ".path{color:var(--soft)}\n"
    ".grid th,.grid td{padding:.25rem .4rem}\n"
    ".grid tr>:first-child{padding-left:0}\n"
    "th.differs{font-weight:650;color:var(--ink)}\n"
    "details{margin:.5rem 0}\n"
    "summary{cursor:pointer}\n"
    ".numbers>summary{color:var(--link);font-size:.875rem}\n"
    ".pair{border:1px solid var(--line);border-radius:.4rem;padding:0 .9rem}\n"
    ".pair>summary{padding:.6rem 0}\n"
    ".pair[open]{padding-bottom:.9rem}\n"
    ".pair>summary bdi{font-weight:600}\n"
    ".anchor{scroll-margin-top:4rem}\n"
    ".grid{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(100%,21rem),1fr));gap:1.8rem 2rem;\n"
    "margin-top:1.4rem}\n"
    ".grid>section{min-width:0}\n";

static const char pictures[] =
    "figure{margin:0;max-width:30rem}\n"
    "figure.wide{max-width:38rem}\n"
    "figcaption{margin-top:.3rem}\n"
    "svg{display:block;width:100%;height:auto;overflow:visible}\n"
    "svg text{font-size:11px;fill:var(--soft)}\n"
    "svg .name{fill:var(--ink)}\n"
    ".end{text-anchor:end}\n"
    ".mid{text-anchor:middle}\n"
    ".rule,.frame{stroke:var(--line);fill:none}\n"
    ".axis{stroke:var(--soft);fill:none}\n"
    ".key{display:flex;flex-wrap:wrap;gap:.1rem .8rem;font-size:.8rem;margin:0 0 .4rem;padding:0;\n"
    "list-style:none}\n"
    ".key li{margin:0;display:inline-flex;align-items:center;min-width:0}\n"
    ".key svg{flex:none;width:1.6rem;height:.7rem;margin-right:.4rem}\n"
    ".key .ramp{width:7rem;margin:0 .4rem}\n"
    ".key .sample{width:.8rem;height:.8rem}\n"
    ".line{fill:none;stroke-width:2;stroke-linejoin:round;stroke-linecap:round}\n"
    ".attention{stroke:var(--c0)}\n"
    ".ffn{stroke:var(--c1)}\n"
    ".norm{stroke:var(--soft);stroke-dasharray:.1 4}\n"
    ".all{stroke:var(--c2);stroke-dasharray:6 4}\n"
    ".spot{stroke-width:5;stroke-dasharray:none}\n"
    ".rug{fill:none;stroke-width:1.2;stroke-opacity:.55}\n"
    ".plainrug{stroke:var(--soft)}\n"
    ".ownrug{stroke:var(--c0)}\n"
    ".mean{stroke:var(--ink);stroke-width:2;fill:none}\n"
    ".bars{fill:var(--c0)}\n"
    ".cells{fill:none;stroke-width:1;shape-rendering:crispEdges}\n"
    ".dots{fill:none;stroke-linecap:round}\n"
    ".rim{stroke:var(--rim);stroke-width:.46}\n"
    ".core{stroke:var(--mark);stroke-width:.3}\n"
    "svg .lo,svg .me{fill:#16202b}\n"
    "svg .hi{fill:#fff}\n"
    ".scatter{fill:none;stroke-width:1.2;stroke-opacity:.8;stroke-linejoin:round}\n"
    ".dot{stroke-width:4;stroke-linecap:round}\n";

/* A phone; and a large picture, whose text need not grow with it. */
static const char screens[] =
    "@media(max-width:34rem){svg text{font-size:12px}table{font-size:.8125rem}th,td{padding:.25rem .4rem}\n"
    "dl{grid-template-columns:1fr;gap:0}dd{margin-bottom:.5rem}\n"
    "tr>:first-child{min-width:7.5rem;max-width:45vw;white-space:normal;overflow-wrap:anywhere}\n"
    ".norms tr>:first-child,.layers tr>:first-child,.experts tr>:first-child{min-width:4.2rem}\n"
    ".grid th,.grid td{padding:.25rem .3rem}\n"
    ".matrix tr>:first-child{min-width:0;max-width:6.5rem}.up{max-height:8rem}}\n"
    "@media(min-width:40rem){.wide svg text{font-size:9px}.wide .scatter{stroke-width:1}\n"
    ".wide .dot{stroke-width:3.2}}\n";

/* Folded pairs and numbers are left out; the table of all pairs is open where the browser can do that. */
static const char paper[] =
    "@page{size:A4;margin:14mm 13mm}\n"
    "@media print{html{font-size:9.5pt}main{max-width:none;padding:0}a{color:inherit}\n"
    "*{print-color-adjust:exact;-webkit-print-color-adjust:exact}\n"
    ".every::details-content{display:block;content-visibility:visible;height:auto}\n"
    ".numbers:not([open]),.pair:not([open]),.every>summary{display:none}\n"
    "figure,tr,dl,.grid>section,.pair>summary{break-inside:avoid}h2,h3,h4,.note,summary{break-after:avoid}\n"
    "h2+.scroll,h3+.scroll{break-before:avoid}\n"
    ".grid{grid-template-columns:1fr 1fr;gap:1rem 1.5rem}\n"
    ".pair{border-width:1px 0 0;border-radius:0;padding:0}\n"
    ".scroll{overflow:visible}th,td{padding:.15rem .4rem}tr>:first-child{position:static}\n"
    ".matrix a{width:1.35rem;line-height:1.35rem}.up{line-height:1.35rem}}\n";

/* A colour on the ramp between anchors, each darker than the last: perceived order survives without hue. */
static void put_colour(FILE *out, const unsigned char (*anchors)[3], int last, double share)
{
    double at = share * last;
    int below = at < last ? (int)at : last - 1;
    fputc('#', out);
    for (int i = 0; i < 3; i++) {
        double low = anchors[below][i], high = anchors[below + 1][i];
        fprintf(out, "%02x", (unsigned)lround(low + (at - below) * (high - low)));
    }
}

static void put_ramp(FILE *out, const unsigned char (*anchors)[3], int last)
{
    for (int level = 0; level < CG_HEAT_LEVELS; level++) {
        fprintf(out, ".h%d{stroke:", level);
        put_colour(out, anchors, last, (double)level / (CG_HEAT_LEVELS - 1));
        fputs("}", out);
    }
    fputc('\n', out);
}

static void put_style(FILE *out)
{
    static const unsigned char on_light[][3] = {
        {0xE8, 0xED, 0xF0}, {0xB4, 0xD8, 0xC8}, {0x4F, 0xB0, 0xBB}, {0x20, 0x6D, 0xA8}, {0x14, 0x24, 0x5C}};
    static const unsigned char on_dark[][3] = {
        {0x29, 0x2F, 0x37}, {0x1F, 0x4B, 0x78}, {0x21, 0x86, 0x8F}, {0x6C, 0xC2, 0x7F}, {0xF7, 0xE9, 0x7A}};
    fprintf(out, ":root{color-scheme:light dark;%s}\n%s%s%s%s%s", light, frame, tables, verdicts, pictures,
            screens);
    put_ramp(out, on_light, 4);
    for (int i = 0; i < CG_HTML_COLOURS; i++)
        fprintf(out, ".c%d{stroke:var(--c%d)}", i, i);
    fputc('\n', out);
    fprintf(
        out,
        "@media screen and (prefers-color-scheme:dark){:root{%s}svg .lo{fill:#fff}svg .hi{fill:#16202b}\n",
        dark);
    put_ramp(out, on_dark, 4);
    fprintf(out, "}\n%s", paper);
}

void cg_html_head(FILE *out, const struct cg_result *result)
{
    fputs("<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\"/>\n"
          "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\"/>\n"
          "<meta name=\"color-scheme\" content=\"light dark\"/>\n"
          "<meta name=\"referrer\" content=\"no-referrer\"/>\n",
          out);
    cg_html(out, "<meta name=\"generator\" content=\"$\"/>\n<title>cognate: ",
            result->source ? result->source : "cognate");
    for (int64_t m = 0; m < result->size[CG_DIM_MODEL] && m < 2; m++)
        cg_html(out, m > 0 ? ", $" : "$", cg_model_label(result, m));
    fputs(result->size[CG_DIM_MODEL] > 2 ? ", ...</title>\n<style>\n" : "</title>\n<style>\n", out);
    put_style(out);
    fputs("</style>\n</head>\n<body>\n", out);
}
