/* Models by path and by name in a Hugging Face cache with its links into the blob store. */
#include "cognate/checkpoint.h"
#include "scratch.h"
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
/* cmocka wants the above first */
#include <cmocka.h>

#define HEADER "{\"a\":{\"dtype\":\"U8\",\"shape\":[4],\"data_offsets\":[0,4]}}"
#define MODEL  "hub/models--org--name/"

static void set_time(struct scratch *scratch, const char *name, time_t seconds)
{
    struct timespec times[2] = {{seconds, 0}, {seconds, 0}};
    assert_int_equal(utimensat(AT_FDCWD, scratch_path(scratch, name), times, 0), 0);
}

/* A snapshot as a download leaves it: links into ../../blobs. */
static void add_snapshot(struct scratch *scratch, const char *revision, time_t seconds)
{
    char name[200], target[200];
    snprintf(name, sizeof name, MODEL "snapshots/%s", revision);
    scratch_folder(scratch, name);
    snprintf(target, sizeof target, MODEL "blobs/w-%s", revision);
    scratch_safetensors(scratch, target, -1, HEADER, 4);
    snprintf(name, sizeof name, MODEL "snapshots/%s/model.safetensors", revision);
    snprintf(target, sizeof target, "../../blobs/w-%s", revision);
    scratch_link(scratch, target, name);
    snprintf(name, sizeof name, MODEL "snapshots/%s/config.json", revision);
    scratch_link(scratch, "../../blobs/config", name);
    snprintf(name, sizeof name, MODEL "snapshots/%s", revision);
    set_time(scratch, name, seconds);
}

static int make(void **state)
{
    static struct scratch scratch;
    scratch_make(&scratch);
    static const char *const folders[] = {"hub",
                                          "hub/models--org--name",
                                          MODEL "blobs",
                                          MODEL "snapshots",
                                          MODEL "refs",
                                          "hub/models--org--empty",
                                          "hub/models--org--empty/snapshots",
                                          "hub/models--alone",
                                          "hub/models--alone/snapshots",
                                          "hub/models--alone/snapshots/r"};
    for (size_t i = 0; i < sizeof folders / sizeof *folders; i++)
        scratch_folder(&scratch, folders[i]);
    scratch_text(&scratch, MODEL "blobs/config", "{\"hidden_size\":4}");
    add_snapshot(&scratch, "new", 3000);
    add_snapshot(&scratch, "old", 1000);
    add_snapshot(&scratch, "middle", 2000);
    scratch_text(&scratch, MODEL "snapshots/zzz", "no folder");
    *state = &scratch;
    return 0;
}

/* What refs/main says (NULL: no such file), the name asked for, and where below the cache it is found. */
static const struct {
    const char *what, *ref, *given, *found; /* found NULL: refused */
} rows[] = {
    {"newest", NULL, "org/name", MODEL "snapshots/new"},
    {"by the ref", "old", "org/name", MODEL "snapshots/old"},
    {"by the ref, with a newline", "middle\n", "org/name", MODEL "snapshots/middle"},
    {"ref to nothing", "absent", "org/name", MODEL "snapshots/new"},
    {"ref to a file", "zzz", "org/name", MODEL "snapshots/new"},
    {"ref empty", "", "org/name", MODEL "snapshots/new"},
    {"ref upward", "../snapshots/old", "org/name", MODEL "snapshots/new"},
    {"ref of dots", "..", "org/name", MODEL "snapshots/new"},
    {"name without an organisation", NULL, "alone", "hub/models--alone/snapshots/r"},
    {"without a snapshot", NULL, "org/empty", NULL},
    {"not in the cache", NULL, "org/other", NULL},
    {"three parts", NULL, "org/name/more", NULL},
    {"upward", NULL, "../name", NULL},
    {"absolute", NULL, "/org/name", NULL},
    {"no name", NULL, "org/", NULL},
    {"no organisation", NULL, "/name", NULL},
    {"odd characters", NULL, "org/na me", NULL},
    {"nothing", NULL, "", NULL},
};

static void check_row(struct scratch *scratch, size_t i)
{
    struct cg_err err = {0};
    unlink(scratch_path(scratch, MODEL "refs/main"));
    if (rows[i].ref)
        scratch_text(scratch, MODEL "refs/main", rows[i].ref);
    char *found = cg_checkpoint_locate(rows[i].given, &err);
    if ((found != NULL) != (rows[i].found != NULL))
        fail_msg("%s: %s", rows[i].what, found ? found : err.text);
    if (found &&
        !(strstr(found, rows[i].found) && strlen(strstr(found, rows[i].found)) == strlen(rows[i].found)))
        fail_msg("%s: %s", rows[i].what, found);
    assert_int_equal(err.code == CG_OK, found != NULL);
    if (!found && (err.code != CG_EMISSING || !strstr(err.text, "no such file or folder")))
        fail_msg("%s: %s", rows[i].what, err.text);
    free(found);
}

static void test_cache(void **state)
{
    setenv("HF_HUB_CACHE", scratch_path(*state, "hub"), 1);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        check_row(*state, i);
}

/* HF_HUB_CACHE, then HF_HOME/hub, then HOME/.cache/huggingface/hub; an empty one says nothing. */
static void test_settings(void **state)
{
    struct scratch *scratch = *state;
    struct cg_err err = {0};
    char *found;
    setenv("HF_HUB_CACHE", "", 1);
    setenv("HF_HOME", scratch->folder, 1);
    assert_non_null(found = cg_checkpoint_locate("org/name", &err));
    free(found);
    setenv("HF_HUB_CACHE", "/nowhere", 1);
    assert_null(cg_checkpoint_locate("org/name", &err));
    assert_non_null(strstr(err.text, "nor a model in the cache /nowhere"));
    unsetenv("HF_HUB_CACHE");
    unsetenv("HF_HOME");
    setenv("HOME", scratch->folder, 1);
    assert_null(cg_checkpoint_locate("org/name", &err));
    scratch_folder(scratch, ".cache");
    scratch_link(scratch, "..", ".cache/huggingface");
    assert_non_null(found = cg_checkpoint_locate("org/name", &err));
    free(found);
}

/* A path that exists is taken as it is, whatever the cache holds. */
static void test_path_first(void **state)
{
    struct scratch *scratch = *state;
    struct cg_err err = {0};
    setenv("HF_HUB_CACHE", scratch_path(scratch, "hub"), 1);
    char *found = cg_checkpoint_locate(scratch_path(scratch, "hub"), &err);
    assert_string_equal(found, scratch->path);
    free(found);
}

/* The links into the blob store are followed, the same links from elsewhere are not. */
static void test_open(void **state)
{
    struct scratch *scratch = *state;
    struct cg_checkpoint checkpoint = {0};
    struct cg_err err = {0};
    setenv("HF_HUB_CACHE", scratch_path(scratch, "hub"), 1);
    unlink(scratch_path(scratch, MODEL "refs/main"));
    assert_int_equal(cg_checkpoint_open(&checkpoint, "org/name", &err), 0);
    assert_int_equal(checkpoint.ntensors, 1);
    assert_int_equal(checkpoint.config.fact[CG_HIDDEN_SIZE], 4);
    assert_string_equal(checkpoint.given, "org/name");
    assert_non_null(strstr(checkpoint.warnings.data, "org/name: read from the cache: "));
    assert_non_null(strstr(checkpoint.warnings.data, "snapshots/new\n"));
    cg_checkpoint_release(&checkpoint);

    scratch_link(scratch, MODEL "snapshots/old", "by-link");
    assert_int_equal(cg_checkpoint_open(&checkpoint, scratch_path(scratch, "by-link"), &err), 0);
    assert_null(checkpoint.warnings.data);
    cg_checkpoint_release(&checkpoint);

    scratch_folder(scratch, "hub/thief");
    scratch_link(scratch, "../models--org--name/blobs/w-old", "hub/thief/model.safetensors");
    assert_int_equal(cg_checkpoint_open(&checkpoint, scratch_path(scratch, "hub/thief"), &err), -1);
    assert_non_null(strstr(err.text, "is a link that leaves the model's folder"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_cache), cmocka_unit_test(test_settings),
                                       cmocka_unit_test(test_path_first), cmocka_unit_test(test_open)};
    return cmocka_run_group_tests_name("locate", tests, make, scratch_tear_down);
}
