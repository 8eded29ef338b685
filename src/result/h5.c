#include "h5.h"
#include "cognate/mem.h"
#include "cognate/text.h"
#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>

struct cg_h5_quiet cg_h5_quiet_begin(void)
{
    struct cg_h5_quiet quiet = {0};
    H5Eget_auto2(H5E_DEFAULT, &quiet.print, &quiet.data);
    H5Eset_auto2(H5E_DEFAULT, NULL, NULL);
    return quiet;
}

void cg_h5_quiet_end(struct cg_h5_quiet quiet)
{
    H5Eset_auto2(H5E_DEFAULT, quiet.print, quiet.data);
}

/* Keeps the first, which is the innermost, description of the stack. Refusals of the system stand in it as
 * `..., error message = 'No space left on device', ...`. */
static herr_t innermost(unsigned n, const H5E_error2_t *error, void *out)
{
    if (n > 0 || !error->desc)
        return 0;
    static const char mark[] = "error message = '";
    const char *text = strstr(error->desc, mark);
    text = text ? text + sizeof mark - 1 : error->desc;
    char *end = stpncpy((char *)out, text, CG_H5_NAME - 1);
    *end = '\0';
    if (text != error->desc)
        ((char *)out)[strcspn((char *)out, "'")] = '\0';
    return 0;
}

int cg_h5_check(hid_t status, const char *name, const char *what, struct cg_err *err)
{
    if (status >= 0)
        return 0;
    char reason[CG_H5_NAME] = "HDF5 does not say why", printable[CG_H5_NAME];
    H5Ewalk2(H5E_DEFAULT, H5E_WALK_UPWARD, innermost, reason);
    return cg_fail(err, CG_EIO, "%s: cannot %s: %s", name, what,
                   cg_printable(printable, sizeof printable, reason));
}

int cg_h5_closed(int result, hid_t status, const char *name, struct cg_err *err)
{
    return result < 0 ? result : cg_h5_check(status, name, "close", err);
}

hid_t cg_h5_type(enum cg_type type)
{
    switch (type) {
    case CG_TYPE_BOOL:
        return H5T_STD_I8LE;
    case CG_TYPE_UINT8:
        return H5T_STD_U8LE;
    case CG_TYPE_INT16:
        return H5T_STD_I16LE;
    case CG_TYPE_FLOAT32:
        return H5T_IEEE_F32LE;
    case CG_TYPE_INT32:
        return H5T_STD_I32LE;
    case CG_TYPE_INT64:
        return H5T_STD_I64LE;
    case CG_TYPE_FLOAT64:
        return H5T_IEEE_F64LE;
    case CG_TYPE_TEXT:
        break;
    }
    return H5T_C_S1;
}

const char *cg_h5_path(char out[CG_H5_NAME], const char *group, const char *name)
{
    snprintf(out, CG_H5_NAME, "%s/%s", strcmp(group, "/") == 0 ? "" : group, name);
    return out;
}

void cg_h5_strlen_name(char out[CG_H5_NAME], hsize_t width)
{
    snprintf(out, CG_H5_NAME, "strlen_%llu", (unsigned long long)width);
}

int cg_h5_sha256(const void *bytes, size_t n, char hex[CG_SHA256_HEX], struct cg_err *err)
{
    unsigned char digest[EVP_MAX_MD_SIZE];
    unsigned length = 0;
    if (EVP_Digest(bytes, n, digest, &length, EVP_sha256(), NULL) != 1)
        return cg_fail(err, CG_ENOMEM, "cannot compute a SHA-256");
    cg_hex(hex, digest, length);
    return 0;
}

int cg_h5_write_values(hid_t object, const char *name, hid_t type, int n, const void *values,
                       struct cg_err *err)
{
    int result = -1;
    const hsize_t length = (hsize_t)n;
    hid_t attribute = -1, space = n == 1 ? H5Screate(H5S_SCALAR) : H5Screate_simple(1, &length, NULL);
    CG_TRY(cg_h5_check(space, name, "describe the attribute", err));
    attribute = H5Acreate2(object, name, type, space, H5P_DEFAULT, H5P_DEFAULT);
    CG_TRY(cg_h5_check(attribute, name, "create the attribute", err));
    CG_TRY(cg_h5_check(H5Awrite(attribute, type, values), name, "write the attribute", err));
    result = 0;
done:
    if (attribute >= 0)
        result = cg_h5_closed(result, H5Aclose(attribute), name, err);
    if (space >= 0)
        H5Sclose(space);
    return result;
}

/* The type of text attributes: a UTF-8 string of any length. */
static hid_t text_type(struct cg_err *err)
{
    hid_t type = H5Tcopy(H5T_C_S1);
    if (type < 0 || H5Tset_size(type, H5T_VARIABLE) < 0 || H5Tset_cset(type, H5T_CSET_UTF8) < 0) {
        cg_h5_check(-1, "text", "describe the type", err);
        if (type >= 0)
            H5Tclose(type);
        return -1;
    }
    return type;
}

int cg_h5_write_text(hid_t object, const char *name, const char *text, struct cg_err *err)
{
    int result = -1;
    hid_t type = -1;
    char *valid = cg_copy_text(text ? text : "", text ? strlen(text) : 0, err);
    if (!valid)
        return -1;
    cg_h5_keep_utf8(valid, strlen(valid));
    type = text_type(err);
    if (type >= 0) {
        result = cg_h5_write_values(object, name, type, 1, &valid, err);
        H5Tclose(type);
    }
    free(valid);
    return result;
}

int cg_h5_read_value(hid_t object, const char *name, hid_t type, void *value, struct cg_err *err)
{
    int result = -1;
    hid_t stored = -1, space = -1, attribute = H5Aopen(object, name, H5P_DEFAULT);
    if (attribute < 0)
        return cg_fail(err, CG_EMISSING, "attribute %s is missing", name);
    CG_TRY(cg_h5_check(stored = H5Aget_type(attribute), name, "read the attribute's type", err));
    CG_TRY(cg_h5_check(space = H5Aget_space(attribute), name, "read the attribute's shape", err));
    if (H5Tequal(stored, type) <= 0 || H5Sget_simple_extent_type(space) != H5S_SCALAR) {
        cg_fail(err, CG_EFORMAT, "attribute %s has the wrong type or shape", name);
        goto done;
    }
    CG_TRY(cg_h5_check(H5Aread(attribute, type, value), name, "read the attribute", err));
    result = 0;
done:
    if (space >= 0)
        H5Sclose(space);
    if (stored >= 0)
        H5Tclose(stored);
    H5Aclose(attribute);
    return result;
}

int cg_h5_read_text(hid_t object, const char *name, char **text, struct cg_err *err)
{
    hid_t type = text_type(err);
    if (type < 0)
        return -1;
    char *stored = NULL;
    int result = cg_h5_read_value(object, name, type, &stored, err);
    H5Tclose(type);
    if (result == 0)
        result = (*text = cg_copy_text(stored ? stored : "", stored ? strlen(stored) : 0, err)) ? 0 : -1;
    H5free_memory(stored);
    return result;
}

void cg_h5_keep_utf8(char *text, size_t n)
{
    for (size_t i = 0; i < n;) {
        size_t length = cg_utf8_length(text + i, n - i);
        if (length == 0)
            text[i] = '?';
        i += length > 0 ? length : 1;
    }
}

int cg_h5_blame(const char *path, struct cg_err *err)
{
    struct cg_err inner = *err;
    char printable[CG_ERR_TEXT / 2];
    return cg_fail(err, inner.code, "%s: %s", cg_printable(printable, sizeof printable, path), inner.text);
}
