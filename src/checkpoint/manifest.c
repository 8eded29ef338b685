#include "cognate/manifest.h"
#include "cognate/mem.h"
#include "cognate/text.h"
#include "file.h"
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { MANIFEST_LIMIT = 16 << 20, COLUMNS = 4, SHOWN = 80 };
enum column { LABEL, PATH, FAMILY, ROLE };

void cg_manifest_release(struct cg_manifest *manifest)
{
    for (size_t i = 0; i < manifest->n; i++) {
        struct cg_entry *entry = &manifest->entries[i];
        free(entry->label);
        free(entry->path);
        free(entry->family);
        free(entry->role);
        free(entry->error);
    }
    free(manifest->entries);
    *manifest = (struct cg_manifest){0};
}

/* The last part of a path: what stands before slashes at the end, behind the slash before. "." and ".." are
 * no names: those of the folder they stand for are taken. */
static char *last_part(const char *path, struct cg_err *err)
{
    size_t end = strlen(path);
    while (end > 1 && path[end - 1] == '/')
        end--;
    size_t begin = end;
    while (begin > 0 && path[begin - 1] != '/')
        begin--;
    if (begin == end)
        begin = 0;
    const char *part = path + begin;
    bool dots = strncmp(part, "..", end - begin) == 0;
    char *full = dots ? realpath(path, NULL) : NULL;
    const char *slash = full ? strrchr(full, '/') : NULL;
    char *name = slash && slash[1] ? cg_copy_text(slash + 1, strlen(slash + 1), err)
                                   : cg_copy_text(part, end - begin, err);
    free(full);
    return name;
}

static char *copy(const char *text, struct cg_err *err)
{
    return cg_copy_text(text, strlen(text), err);
}

/* Adds a model; an empty label becomes the last part of the path as it was `given`. */
static int add(struct cg_manifest *manifest, const char *const field[COLUMNS], const char *given,
               struct cg_err *err)
{
    size_t capacity = manifest->n;
    if (cg_grow((void **)&manifest->entries, &capacity, manifest->n + 1, sizeof *manifest->entries, err) < 0)
        return -1;
    struct cg_entry *entry = &manifest->entries[manifest->n++];
    *entry = (struct cg_entry){.label = *field[LABEL] ? copy(field[LABEL], err) : last_part(given, err),
                               .path = copy(field[PATH], err),
                               .family = copy(field[FAMILY], err),
                               .role = copy(field[ROLE], err)};
    return entry->label && entry->path && entry->family && entry->role ? 0 : -1;
}

/* A label has no slash, so that a path with a = in it stays a path. */
int cg_manifest_add(struct cg_manifest *manifest, const char *argument, struct cg_err *err)
{
    char shown[SHOWN];
    size_t label = strcspn(argument, "=/");
    bool labelled = argument[label] == '=';
    const char *path = labelled ? argument + label + 1 : argument;
    if (*path == '\0' || (labelled && label == 0))
        return cg_fail(err, CG_EUSAGE, "%s: a model is given as MODEL or LABEL=MODEL",
                       *argument ? cg_printable(shown, sizeof shown, argument) : "\"\"");
    char *text = cg_copy_text(argument, labelled ? label : 0, err);
    if (!text)
        return -1;
    int result = add(manifest, (const char *[COLUMNS]){text, path, "", ""}, path, err);
    free(text);
    return result;
}

/* Cuts a line at its tabs. Returns the number of fields, or -1 when there are more than COLUMNS. */
static int split(char *line, const char *field[COLUMNS])
{
    int n = 0;
    char *part;
    while ((part = strsep(&line, "\t"))) {
        if (n == COLUMNS)
            return -1;
        field[n++] = part;
    }
    return n;
}

static int fail_at_line(struct cg_err *err, const char *path, int line, const char *what, const char *text)
{
    char shown[SHOWN];
    return cg_fail_at(err, CG_EFORMAT, path, NULL, -1, "line %d: %s%s%s", line, what, text ? ": " : "",
                      text ? cg_printable(shown, sizeof shown, text) : "");
}

/* The header line: which column is where; at[c] is -1 for a column that is not there. */
static int read_columns(int at[COLUMNS], int *width, char *text, const char *path, int line,
                        struct cg_err *err)
{
    static const char *const names[COLUMNS] = {"label", "path", "family", "role"};
    const char *field[COLUMNS];
    int n = split(text, field);
    if (n < 0)
        return fail_at_line(err, path, line, "more columns than label, path, family and role", NULL);
    for (int i = 0; i < n; i++) {
        int column = 0;
        while (column < COLUMNS && strcmp(field[i], names[column]) != 0)
            column++;
        if (column == COLUMNS)
            return fail_at_line(err, path, line, "a column is label, path, family or role, not", field[i]);
        if (at[column] >= 0)
            return fail_at_line(err, path, line, "a column is there twice", field[i]);
        at[column] = i;
    }
    *width = n;
    return at[PATH] >= 0 ? 0 : fail_at_line(err, path, line, "the header line has no column path", NULL);
}

/* A relative path starts at the manifest's folder. What is not there stays as it is: it may name a model of
 * the cache, and if it does not, the error shows it as it was written. */
static char *resolve(const char *model, const char *manifest, struct cg_err *err)
{
    const char *slash = strrchr(manifest, '/');
    if (*model == '/' || !slash)
        return copy(model, err);
    char *folder = cg_copy_text(manifest, (size_t)(slash - manifest) + 1, err);
    char *path = folder ? cg_path_join(folder, model, err) : NULL;
    free(folder);
    if (path && access(path, F_OK) != 0 && access(model, F_OK) != 0) {
        free(path);
        path = copy(model, err);
    }
    return path;
}

static int read_row(struct cg_manifest *manifest, const int at[COLUMNS], int width, char *text,
                    const char *path, int line, struct cg_err *err)
{
    const char *raw[COLUMNS], *field[COLUMNS];
    int n = split(text, raw);
    if (n < 0 || n > width)
        return fail_at_line(err, path, line, "more fields than the header line has", NULL);
    for (int column = 0; column < COLUMNS; column++)
        field[column] = at[column] >= 0 && at[column] < n ? raw[at[column]] : "";
    if (*field[PATH] == '\0')
        return fail_at_line(err, path, line, "no path", NULL);
    if (*field[ROLE] && strcmp(field[ROLE], "base") != 0 && strcmp(field[ROLE], "target") != 0)
        return fail_at_line(err, path, line, "a role is base, target or nothing, not", field[ROLE]);
    const char *given = field[PATH];
    char *model = resolve(given, path, err);
    if (!model)
        return -1;
    field[PATH] = model;
    int result = add(manifest, field, given, err);
    free(model);
    return result;
}

int cg_manifest_read(struct cg_manifest *manifest, const char *path, struct cg_err *err)
{
    struct cg_buf text = {0};
    int result = -1, at[COLUMNS] = {-1, -1, -1, -1}, width = 0, line = 0;
    CG_TRY(cg_file_slurp(&text, path, MANIFEST_LIMIT, err));
    const char *nul = memchr(text.data, '\0', text.size);
    if (nul) {
        cg_fail_at(err, CG_EFORMAT, path, NULL, nul - text.data, "a NUL: this is no text");
        goto done;
    }
    char *rest = text.data, *row;
    while ((row = strsep(&rest, "\n"))) {
        line++;
        if (cg_ends_with(row, "\r"))
            row[strlen(row) - 1] = '\0';
        if (*row == '\0' || *row == '#')
            continue;
        if (width == 0)
            CG_TRY(read_columns(at, &width, row, path, line, err));
        else
            CG_TRY(read_row(manifest, at, width, row, path, line, err));
    }
    if (width == 0)
        cg_fail_at(err, CG_EFORMAT, path, NULL, -1, "has no header line (label, path, family, role)");
    else
        result = 0;
done:
    cg_buf_release(&text);
    return result;
}

static bool is_taken(const struct cg_manifest *manifest, size_t n, const char *label)
{
    for (size_t i = 0; i < n; i++)
        if (strcmp(manifest->entries[i].label, label) == 0)
            return true;
    return false;
}

/* The k of a label that reads LABEL-k, with the first n characters for LABEL; 0 for any other. */
static size_t number_behind(const char *label, const char *text, size_t n)
{
    if (strncmp(label, text, n) != 0 || label[n] != '-' || label[n + 1] == '0')
        return 0;
    const char *digits = label + n + 1;
    return strspn(digits, "0123456789") == strlen(digits) ? strtoul(digits, NULL, 10) : 0;
}

/* The least k from 2 on for which LABEL-k is nobody's, also not that of a model further down: one pass marks
 * those that are taken, and with n models one of n + 1 numbers is free. 0 with err on failure. */
static size_t free_number(const struct cg_manifest *manifest, const char *text, struct cg_err *err)
{
    size_t k = 2, length = strlen(text), last = manifest->n + 2;
    bool *taken = cg_new(last + 1, sizeof *taken, err);
    if (!taken)
        return 0;
    for (size_t i = 0; i < manifest->n; i++) {
        size_t number = number_behind(manifest->entries[i].label, text, length);
        taken[number <= last ? number : 0] = true;
    }
    while (taken[k])
        k++;
    free(taken);
    return k;
}

int cg_manifest_unique_labels(struct cg_manifest *manifest, struct cg_err *err)
{
    for (size_t i = 1; i < manifest->n; i++) {
        struct cg_entry *entry = &manifest->entries[i];
        if (!is_taken(manifest, i, entry->label))
            continue;
        struct cg_buf label = {0};
        size_t k = free_number(manifest, entry->label, err);
        if (k == 0 || cg_buf_printf(&label, err, "%s-%zu", entry->label, k) < 0)
            return -1;
        free(entry->label);
        entry->label = label.data;
    }
    return 0;
}

int cg_manifest_blame(struct cg_manifest *manifest, size_t i, const char *error, struct cg_err *err)
{
    free(manifest->entries[i].error);
    manifest->entries[i].error = copy(error, err);
    return manifest->entries[i].error ? 0 : -1;
}

int cg_manifest_set_apart(struct cg_manifest *manifest, struct cg_manifest *broken, struct cg_err *err)
{
    size_t sound = 0;
    if (!(broken->entries = cg_new(manifest->n, sizeof *broken->entries, err)))
        return -1;
    for (size_t i = 0; i < manifest->n; i++)
        if (manifest->entries[i].error)
            broken->entries[broken->n++] = manifest->entries[i];
        else
            manifest->entries[sound++] = manifest->entries[i];
    manifest->n = sound;
    return 0;
}

static bool has_role(const struct cg_entry *entry, const char *role)
{
    return strcmp(entry->role, role) == 0;
}

int cg_manifest_pairs(const struct cg_manifest *manifest, int32_t (**pairs)[2], size_t *npairs,
                      struct cg_err *err)
{
    size_t n = manifest->n, bases = 0, targets = 0;
    for (size_t i = 0; i < n; i++) {
        bases += has_role(&manifest->entries[i], "base");
        targets += has_role(&manifest->entries[i], "target");
    }
    bool roles = bases + targets > 0;
    if (roles && (bases == 0 || targets == 0))
        return cg_fail(err, CG_EUSAGE, "no model has the role %s", bases == 0 ? "base" : "target");
    if (n < 2)
        return cg_fail(err, CG_EUSAGE, "a comparison needs at least two models");
    int32_t(*made)[2] = cg_new(roles ? bases * targets : n * (n - 1) / 2, sizeof *made, err);
    if (!made)
        return -1;
    *pairs = made;
    *npairs = 0;
    for (size_t i = 0; i < n; i++)
        for (size_t j = roles ? 0 : i + 1; j < n; j++)
            if (!roles ||
                (has_role(&manifest->entries[i], "base") && has_role(&manifest->entries[j], "target"))) {
                made[*npairs][0] = (int32_t)i;
                made[(*npairs)++][1] = (int32_t)j;
            }
    return 0;
}
