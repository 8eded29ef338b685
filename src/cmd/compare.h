/* What the user asked `cognate compare`, `fingerprint` or `search` for. */
#ifndef COGNATE_CMD_COMPARE_H
#define COGNATE_CMD_COMPARE_H

#include "cognate/manifest.h"
#include "cognate/sweep.h"

struct compare_options {
    const char *output, *manifest;
    const char *library;           /* of a search: its folder */
    struct cg_sweep_options sweep; /* all but the journal's folder and identity */
    bool journal;
    bool skip_broken; /* go on without models that cannot be used */
    int components;
    bool full; /* --evidence full: what needs more than the sweep */
    bool quiet;
    bool help;
    int first_model; /* argv[first_model ...] are models */
};

/* Parses argv, whose first word is the command. 0, or -1 with err filled: wrong usage. */
int compare_parse(struct compare_options *out, int argc, char **argv, struct cg_err *err);

extern const char compare_help[], fingerprint_help[], search_help[];

#endif
