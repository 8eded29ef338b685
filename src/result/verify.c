#include "form.h"
#include "reader.h"
#include <stdlib.h>
#include <string.h>

/* Every variable of the schema is there, with its type and shape. */
static int check_schema(hid_t file, const struct cg_form *form, const void *record, struct cg_err *err)
{
    for (size_t i = 0; i < form->nvariables; i++) {
        if (!cg_group_is_written(form, form->variables[i].group, record))
            continue;
        hid_t dataset = cg_form_open_variable(file, &form->variables[i], record, err);
        if (dataset < 0)
            return -1;
        H5Dclose(dataset);
    }
    return 0;
}

static bool is_in_schema(const struct cg_form *form, const char *path)
{
    char row[CG_H5_NAME];
    for (size_t i = 0; i < form->nvariables; i++)
        if (strcmp(cg_h5_path(row, form->variables[i].group, form->variables[i].name), path) == 0)
            return true;
    return false;
}

/* 1 when the object is a dataset and its hash is right, 0 when it has none to check, -1 on any fault. A
 * variable of the schema has one; what others added to the file may have none. */
static int check_object(hid_t file, const struct cg_form *form, hid_t object, const char *name,
                        struct cg_err *err)
{
    if (H5Iget_type(object) != H5I_DATASET)
        return 0;
    htri_t hashed = H5Aexists(object, "sha256");
    if (cg_h5_check(hashed, name, "look for its SHA-256", err) < 0)
        return -1;
    if (hashed == 0 && !is_in_schema(form, name))
        return 0;
    size_t size = 0;
    char *bytes = cg_form_load(file, object, name, &size, err);
    bool sound = bytes != NULL;
    free(bytes);
    return sound ? 1 : -1;
}

static int check_link(hid_t file, const struct cg_form *form, hid_t group, const char *path, hsize_t i,
                      struct cg_err *err)
{
    char link[CG_H5_NAME] = "", name[CG_H5_NAME];
    CG_TRY(cg_h5_check(
        H5Lget_name_by_idx(group, ".", H5_INDEX_NAME, H5_ITER_INC, i, link, sizeof link, H5P_DEFAULT), path,
        "list the group", err));
    cg_h5_path(name, path, link);
    hid_t object = H5Oopen(group, link, H5P_DEFAULT);
    CG_TRY(cg_h5_check(object, name, "open", err));
    int result = check_object(file, form, object, name, err);
    H5Oclose(object);
    return result;
done:
    return -1;
}

/* The number of datasets whose hash is right, or -1. */
static int check_group(hid_t file, const struct cg_form *form, const char *path, struct cg_err *err)
{
    H5G_info_t info = {0};
    hid_t group = H5Gopen2(file, path, H5P_DEFAULT);
    CG_TRY(cg_h5_check(group, path, "open the group", err));
    int datasets = cg_h5_check(H5Gget_info(group, &info), path, "list the group", err);
    for (hsize_t i = 0; i < info.nlinks && datasets >= 0; i++) {
        int checked = check_link(file, form, group, path, i, err);
        datasets = checked < 0 ? -1 : datasets + checked;
    }
    H5Gclose(group);
    return datasets;
done:
    return -1;
}

int cg_form_check(const struct cg_form *form, void *record, const char *path, struct cg_err *err)
{
    struct cg_h5_quiet quiet = cg_h5_quiet_begin();
    hid_t file = cg_form_open(form, record, path, err);
    int datasets = file < 0 ? -1 : check_schema(file, form, record, err);
    for (size_t i = 0; i < form->ngroups && datasets >= 0; i++) {
        if (!cg_group_is_written(form, form->groups[i], record))
            continue;
        int checked = check_group(file, form, form->groups[i], err);
        datasets = checked < 0 ? -1 : datasets + checked;
    }
    if (file >= 0)
        H5Fclose(file);
    cg_h5_quiet_end(quiet);
    cg_record_release(form, record);
    return datasets;
}

int cg_result_verify(const char *path, struct cg_err *err)
{
    struct cg_result result = {0};
    int datasets = cg_form_check(&cg_result_form, &result, path, err);
    return datasets < 0 ? cg_h5_blame(path, err) : datasets;
}
