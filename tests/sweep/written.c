#include "written.h"
#include "noise.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static void need(bool done, const char *what)
{
    if (!done) {
        perror(what);
        abort();
    }
}

void written_begin(struct written *written, struct synthetic *made, bool apart)
{
    const char *base = getenv("TMPDIR");
    *written = (struct written){.made = made, .apart = apart};
    snprintf(written->folder, sizeof written->folder, "%s/cognate-sweep.XXXXXX", base ? base : "/tmp");
    need(mkdtemp(written->folder) != NULL, written->folder);
}

void written_lay_out(struct written *written)
{
    for (int m = 0; m < written->made->anatomy.models; m++) {
        struct cg_checkpoint *model = &written->made->model[m];
        int64_t end = 0;
        model->nfiles = written->apart ? model->ntensors : 1;
        model->files = calloc(model->nfiles + 1, sizeof *model->files);
        need(model->files != NULL, "calloc");
        for (size_t t = 0; t < model->ntensors; t++) { /* 13 bytes between: nothing is aligned */
            model->tensors[t].file = written->apart ? (int32_t)t : 0;
            model->tensors[t].offset = (written->apart ? 0 : end) + 13;
            end = model->tensors[t].offset + model->tensors[t].bytes;
        }
        for (size_t f = 0; f < model->nfiles; f++) {
            char path[300];
            snprintf(path, sizeof path, "%s/%d.%zu", written->folder, m, f);
            model->files[f].path = strdup(path);
            need(model->files[f].path != NULL, "strdup");
        }
    }
}

uint8_t *written_bytes(const struct written *written, int model, int32_t tensor)
{
    const struct cg_tensor *of = &written->made->model[model].tensors[tensor];
    uint64_t seed = (uint64_t)(1000 * model + tensor) * 7919 + 1;
    uint8_t *bytes = malloc((size_t)of->bytes + 8);
    need(bytes != NULL, "malloc");
    bool bf16 = of->dtype == CG_BF16, f32 = of->dtype == CG_F32;
    int64_t width = bf16 ? 2 : f32 ? 4 : 1;
    for (int64_t i = 0; i < of->bytes / width; i++) {
        float value = noise_bits(&seed) % 9973 == 0 ? NAN : (float)noise(&seed);
        uint32_t bits;
        memcpy(&bits, &value, 4);
        uint64_t word = bf16 ? bits >> 16 : f32 ? bits : noise_bits(&seed) >> 40;
        for (int64_t k = 0; k < width; k++)
            bytes[i * width + k] = (uint8_t)(word >> 8 * k);
    }
    return bytes;
}

void written_write(struct written *written)
{
    for (int m = 0; m < written->made->anatomy.models; m++) {
        const struct cg_checkpoint *model = &written->made->model[m];
        for (size_t t = 0; t < model->ntensors; t++) {
            const struct cg_tensor *tensor = &model->tensors[t];
            const char *path = model->files[tensor->file].path;
            uint8_t *bytes = written_bytes(written, m, (int32_t)t);
            FILE *file = fopen(path, t == 0 || written->apart ? "wb" : "r+b");
            need(file && fseek(file, tensor->offset, SEEK_SET) == 0 &&
                     fwrite(bytes, 1, (size_t)tensor->bytes, file) == (size_t)tensor->bytes &&
                     fclose(file) == 0 && truncate(path, tensor->offset + tensor->bytes) == 0,
                 path);
            free(bytes);
        }
    }
}

void written_stat(struct written *written)
{
    for (int m = 0; m < written->made->anatomy.models; m++)
        for (size_t f = 0; f < written->made->model[m].nfiles; f++) {
            struct cg_file *file = &written->made->model[m].files[f];
            struct stat status;
            need(stat(file->path, &status) == 0, file->path);
            file->device = (int64_t)status.st_dev;
            file->inode = (int64_t)status.st_ino;
            file->bytes = status.st_size;
            file->mtime_ns = (int64_t)status.st_mtim.tv_sec * 1000000000 + status.st_mtim.tv_nsec;
        }
}

void written_make(struct written *written, struct synthetic *made, bool apart)
{
    written_begin(written, made, apart);
    written_lay_out(written);
    written_write(written);
    written_stat(written);
}

void written_remove(struct written *written)
{
    for (int m = 0; m < written->made->anatomy.models; m++)
        for (size_t f = 0; f < written->made->model[m].nfiles; f++)
            unlink(written->made->model[m].files[f].path);
    need(rmdir(written->folder) == 0, written->folder);
}

void written_release(struct written *written)
{
    for (int m = 0; m < written->made->anatomy.models; m++) {
        struct cg_checkpoint *model = &written->made->model[m];
        for (size_t f = 0; f < model->nfiles; f++)
            free(model->files[f].path);
        free(model->files);
        model->files = NULL;
        model->nfiles = 0;
    }
}
