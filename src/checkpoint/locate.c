/* Where a model lies: a path, or a name in the local Hugging Face cache, which is laid out as
 * models--ORG--NAME/{refs/main, snapshots/REVISION/...}.
 * https://huggingface.co/docs/huggingface_hub/guides/manage-cache */
#include "cognate/checkpoint.h"
#include "cognate/mem.h"
#include "file.h"
#include <dirent.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { REVISION_LIMIT = 256, SHOWN_PATH = 320 };

static const char *setting(const char *name)
{
    const char *value = getenv(name);
    return value && *value ? value : NULL;
}

/* The cache's folder, NULL when nothing says where it is. */
static char *cache_folder(struct cg_err *err)
{
    const char *hub = setting("HF_HUB_CACHE"), *home = setting("HF_HOME"), *user = setting("HOME");
    if (hub)
        return cg_copy_text(hub, strlen(hub), err);
    if (home)
        return cg_path_join(home, "hub", err);
    return cg_path_join(user ? user : "", ".cache/huggingface/hub", err);
}

/* ORG/NAME or NAME, of the characters that the hub allows. */
static bool is_hub_name(const char *name)
{
    const char *slash = strchr(name, '/');
    return *name != '.' && *name != '/' && (!slash || (slash[1] && !strchr(slash + 1, '/'))) &&
           strspn(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_./") == strlen(name);
}

/* CACHE/models--ORG--NAME/snapshots */
static char *snapshots_folder(const char *cache, const char *name, struct cg_err *err)
{
    struct cg_buf path = {0};
    const char *slash = strchr(name, '/');
    size_t org = slash ? (size_t)(slash - name) : 0;
    if (cg_buf_printf(&path, err, "%s/models--%.*s%s%s/snapshots", cache, (int)org, name, slash ? "--" : "",
                      slash ? slash + 1 : name) < 0)
        cg_buf_release(&path);
    return path.data;
}

static bool is_folder(const char *path)
{
    struct stat status;
    return stat(path, &status) == 0 && S_ISDIR(status.st_mode);
}

/* The snapshot that refs/main names; *out stays NULL when there is none. */
static int find_by_ref(char **out, const char *snapshots, struct cg_err *err)
{
    struct cg_buf revision = {0};
    int result = -1;
    char *ref = cg_path_join(snapshots, "../refs/main", err), *path = NULL;
    if (!ref)
        goto done;
    if (cg_file_slurp(&revision, ref, REVISION_LIMIT, err) < 0) {
        if (err->code == CG_ENOMEM)
            goto done;
        *err = (struct cg_err){0};
        result = 0;
        goto done;
    }
    revision.data[strcspn(revision.data, " \r\n")] = '\0';
    path = cg_path_join(snapshots, revision.data, err);
    if (!path)
        goto done;
    result = 0;
    if (*revision.data && *revision.data != '.' && !strchr(revision.data, '/') && is_folder(path)) {
        *out = path;
        path = NULL;
    }
done:
    free(path);
    free(ref);
    cg_buf_release(&revision);
    return result;
}

/* Whether a was written after b, by name where both were at the same moment. */
static bool is_newer(const struct timespec *a, const char *path_a, const struct timespec *b,
                     const char *path_b)
{
    if (a->tv_sec != b->tv_sec)
        return a->tv_sec > b->tv_sec;
    return a->tv_nsec != b->tv_nsec ? a->tv_nsec > b->tv_nsec : strcmp(path_a, path_b) > 0;
}

/* The snapshot written last; *out stays NULL when there is none. */
static int find_newest(char **out, const char *snapshots, struct cg_err *err)
{
    DIR *directory = opendir(snapshots);
    struct timespec newest = {0, 0};
    struct dirent *found;
    struct stat status;
    char *path = NULL;
    int result = -1;
    while (directory && (found = readdir(directory))) {
        if (found->d_name[0] == '.')
            continue;
        path = cg_path_join(snapshots, found->d_name, err);
        if (!path)
            goto done;
        if (stat(path, &status) == 0 && S_ISDIR(status.st_mode) &&
            (!*out || is_newer(&status.st_mtim, path, &newest, *out))) {
            char *older = *out;
            *out = path;
            path = older;
            newest = status.st_mtim;
        }
        free(path);
    }
    result = 0;
done:
    if (directory)
        closedir(directory);
    return result;
}

char *cg_checkpoint_locate(const char *given, struct cg_err *err)
{
    struct stat status;
    if (stat(given, &status) == 0)
        return cg_copy_text(given, strlen(given), err);
    char *found = NULL, *snapshots = NULL, *cache = NULL;
    if (!is_hub_name(given)) {
        cg_fail_by_errno(err, given, "find it");
        return NULL;
    }
    cache = cache_folder(err);
    if (!cache)
        goto done;
    snapshots = snapshots_folder(cache, given, err);
    if (!snapshots)
        goto done;
    CG_TRY(find_by_ref(&found, snapshots, err));
    if (!found)
        CG_TRY(find_newest(&found, snapshots, err));
    if (!found) {
        char shown[SHOWN_PATH];
        cg_fail_at(err, CG_EMISSING, given, NULL, -1, "no such file or folder, nor a model in the cache %s",
                   cg_printable(shown, sizeof shown, cache));
    }
done:
    free(snapshots);
    free(cache);
    return found;
}
