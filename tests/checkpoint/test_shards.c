/* Folders of shards: the index against what the shards hold, links, and what is no file. */
#include "cognate/checkpoint.h"
#include "scratch.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
/* cmocka wants the above first */
#include <cmocka.h>

#define ONE(name) "{\"" name "\":{\"dtype\":\"U8\",\"shape\":[4],\"data_offsets\":[0,4]}}"
#define TWO                                                                                                  \
    "{\"a\":{\"dtype\":\"U8\",\"shape\":[4],\"data_offsets\":[0,4]},"                                        \
    "\"b\":{\"dtype\":\"U8\",\"shape\":[4],\"data_offsets\":[4,8]}}"
#define INDEX        "model.safetensors.index.json"
#define MAP(entries) "{\"weight_map\":{" entries "}}"
#define MAPPED       "\"a\":\"1.safetensors\",\"b\":\"2.safetensors\""
#define SIZED(total) "{\"metadata\":{\"total_size\":" total "},\"weight_map\":{" MAPPED "}}"

/* Each row starts from a folder with config.json; `make` adds the rest. */
static void shard_a(struct scratch *s)
{
    scratch_safetensors(s, "1.safetensors", -1, ONE("a"), 4);
}

static void both(struct scratch *s)
{
    shard_a(s);
    scratch_safetensors(s, "2.safetensors", -1, ONE("b"), 4);
}

static void both_and_more(struct scratch *s)
{
    both(s);
    scratch_safetensors(s, "consolidated.safetensors", -1, TWO, 8);
    scratch_text(s, "._1.safetensors", "left by macOS");
}

static void both_in_each(struct scratch *s)
{
    shard_a(s);
    scratch_safetensors(s, "2.safetensors", -1, TWO, 8);
}

static void numbered(struct scratch *s)
{
    scratch_safetensors(s, "model-00001-of-00002.safetensors", -1, ONE("a"), 4);
    scratch_safetensors(s, "model-00002-of-00002.safetensors", -1, ONE("b"), 4);
}

static void first_missing(struct scratch *s)
{
    scratch_safetensors(s, "model-00002-of-00002.safetensors", -1, ONE("b"), 4);
}

static void last_missing(struct scratch *s)
{
    scratch_safetensors(s, "model-00001-of-00002.safetensors", -1, ONE("a"), 4);
    scratch_safetensors(s, "other.safetensors", -1, ONE("c"), 4);
}

static void middle_missing(struct scratch *s)
{
    scratch_safetensors(s, "model-00001-of-00003.safetensors", -1, ONE("a"), 4);
    scratch_safetensors(s, "model-00003-of-00003.safetensors", -1, ONE("b"), 4);
}

static void two_forms(struct scratch *s)
{
    numbered(s);
    scratch_safetensors(s, "consolidated.safetensors", -1, TWO, 8);
}

static void pipe_as_shard(struct scratch *s)
{
    shard_a(s);
    assert_int_equal(mkfifo(scratch_path(s, "2.safetensors"), 0666), 0);
}

static void folder_as_shard(struct scratch *s)
{
    shard_a(s);
    scratch_folder(s, "2.safetensors");
}

static void device_as_shard(struct scratch *s)
{
    shard_a(s);
    scratch_link(s, "/dev/zero", "2.safetensors");
}

static void pipe_as_index(struct scratch *s)
{
    both(s);
    assert_int_equal(mkfifo(scratch_path(s, INDEX), 0666), 0);
}

static void pointer_as_shard(struct scratch *s)
{
    shard_a(s);
    scratch_text(s, "2.safetensors", "version https://git-lfs.github.com/spec/v1\noid sha256:12\n");
}

static void link_within(struct scratch *s)
{
    shard_a(s);
    scratch_safetensors(s, "stored", -1, ONE("b"), 4);
    scratch_link(s, "stored", "2.safetensors");
}

static void link_outside(struct scratch *s)
{
    both(s);
    scratch_folder(s, "deep");
    scratch_folder(s, "deep/model");
    scratch_link(s, "../../2.safetensors", "deep/model/2.safetensors");
    scratch_safetensors(s, "deep/model/1.safetensors", -1, ONE("a"), 4);
}

static void link_to_nothing(struct scratch *s)
{
    shard_a(s);
    scratch_link(s, "nowhere", "2.safetensors");
}

static void config_outside(struct scratch *s)
{
    both(s);
    unlink(scratch_path(s, "config.json"));
    scratch_link(s, "/etc/hostname", "config.json");
}

static void only_part(struct scratch *s)
{
    scratch_safetensors(s, "model-00001-of-00001.safetensors", -1, ONE("a"), 4);
}

static void pytorch(struct scratch *s)
{
    scratch_text(s, "pytorch_model.bin", "PK");
}

static void both_and_pytorch(struct scratch *s)
{
    both(s);
    pytorch(s);
    scratch_text(s, "pytorch_model.bin.index.json", MAP("\"a\":\"pytorch_model.bin\""));
    scratch_text(s, "consolidated.00.pth", "PK");
}

static void both_and_training(struct scratch *s)
{
    both(s);
    scratch_text(s, "training_args.bin", "PK");
    scratch_text(s, "optimizer.pt", "PK");
    scratch_text(s, "rng_state_0.pth", "PK");
}

static void training_alone(struct scratch *s)
{
    scratch_text(s, "training_args.bin", "PK");
}

static void pytorch_index(struct scratch *s)
{
    scratch_text(s, "pytorch_model.bin.index.json", MAP("\"a\":\"../x.bin\""));
    scratch_text(s, "training_args.bin", "PK");
}

static void pytorch_part(struct scratch *s)
{
    scratch_text(s, "pytorch_model-00002-of-00002.bin", "PK");
}

static void other_weights(struct scratch *s)
{
    scratch_text(s, "model.ckpt", "PK");
}

static void nothing(struct scratch *s)
{
    (void)s;
}

static const struct {
    const char *what, *index; /* NULL: none */
    void (*make)(struct scratch *scratch);
    const char *open;    /* below the scratch folder */
    size_t tensors;      /* 0: refused */
    const char *message; /* of the refusal, or a warning; NULL: no warning */
} rows[] = {
    {"index", MAP(MAPPED), both, "", 2, NULL},
    {"no index", NULL, both, "", 2, NULL},
    {"no index, numbered", NULL, numbered, "", 2, NULL},
    {"total_size right", SIZED("8"), both, "", 2, NULL},
    {"total_size right, as a real", SIZED("8.0"), both, "", 2, NULL},
    {"total_size wrong", SIZED("9"), both, "", 2, "index.json: total_size is 9, the tensors have 8 bytes\n"},
    {"total_size a string", SIZED("\"8\""), both, "", 2, "total_size is \"8\", the tensors have 8 bytes\n"},
    {"files beside the index", MAP(MAPPED), both_and_more, "", 2,
     "consolidated.safetensors is not in the index and left out\n"},
    {"PyTorch's form beside", NULL, both_and_pytorch, "", 2,
     "read by its *.safetensors files; pytorch_model.bin is left out\n"},
    {"PyTorch's form beside, another suffix", MAP(MAPPED), both_and_pytorch, "", 2,
     "read by its *.safetensors files; consolidated.00.pth is left out\n"},
    {"what training left beside", NULL, both_and_training, "", 2, NULL},
    {"link within the folder", MAP(MAPPED), link_within, "", 2, NULL},
    {"one file of two", MAP(MAPPED), both, "2.safetensors", 1, NULL},
    {"known by its content", NULL, link_within, "stored", 1, NULL},
    {"one shard of two", NULL, numbered, "model-00002-of-00002.safetensors", 1,
     "model-00002-of-00002.safetensors: shard 2 of 2, read alone: "},
    {"the only shard", NULL, only_part, "model-00001-of-00001.safetensors", 1, NULL},
    {"no config.json", NULL, link_outside, "deep/model/1.safetensors", 1,
     "config.json: not there; the architecture is read from the shapes alone\n"},

    {"shard missing", MAP(MAPPED), shard_a, "", 0, "2.safetensors: no such file or folder"},
    {"first shard missing, no index", NULL, first_missing, "", 0, "shard 1 of 2 is missing"},
    {"middle shard missing, no index", NULL, middle_missing, "", 0, "shard 2 of 3 is missing"},
    {"last shard missing, no index", NULL, last_missing, "", 0, "shard 2 of 2 is missing"},
    {"map upward", MAP("\"a\":\"../x.safetensors\""), both, "", 0, "a: is mapped to \"../x.safetensors\""},
    {"map to a path", MAP("\"a\":\"x/1.safetensors\""), both, "", 0, "a: is mapped to \"x/1.safetensors\""},
    {"map absolute", MAP("\"a\":\"/etc/passwd\""), both, "", 0, "a: is mapped to \"/etc/passwd\""},
    {"map to dots", MAP("\"a\":\"..\""), both, "", 0, "a: is mapped to \"..\""},
    {"map to nothing", MAP("\"a\":\"\""), both, "", 0, "a: is mapped to \"\""},
    {"map to a number", MAP("\"a\":1"), both, "", 0, "a: is mapped to 1"},
    {"map to the index", MAP("\"a\":\"" INDEX "\""), both, "", 0, "is JSON text, not a checkpoint"},
    {"link out of the folder", NULL, link_outside, "deep/model", 0,
     "2.safetensors: is a link that leaves the model's folder"},
    {"link to nothing", MAP(MAPPED), link_to_nothing, "", 0, "is a link to a file that is not there"},
    {"config.json a link to /etc", MAP(MAPPED), config_outside, "", 0, "is a link that leaves"},
    {"named pipe", MAP(MAPPED), pipe_as_shard, "", 0, "2.safetensors: is a named pipe, not a file"},
    {"named pipe, no index", NULL, pipe_as_shard, "", 0, "2.safetensors: is a named pipe, not a file"},
    {"named pipe alone", NULL, pipe_as_shard, "2.safetensors", 0, "is a named pipe, not a file"},
    {"named pipe as index", NULL, pipe_as_index, "", 0, INDEX ": is a named pipe, not a file"},
    {"folder as shard", MAP(MAPPED), folder_as_shard, "", 0, "2.safetensors: is a folder, not a file"},
    {"device as shard", MAP(MAPPED), device_as_shard, "", 0, "is a link that leaves"},
    {"device alone", NULL, device_as_shard, "2.safetensors", 0, "is a device, not a file"},
    {"LFS pointer as shard", MAP(MAPPED), pointer_as_shard, "", 0, "2.safetensors: is a Git LFS pointer"},
    {"mapped, absent", MAP(MAPPED ",\"c\":\"2.safetensors\""), both, "", 0,
     "index.json: c: is mapped to 2.safetensors, which does not hold it"},
    {"mapped to another shard", MAP("\"a\":\"2.safetensors\",\"b\":\"1.safetensors\""), both, "", 0,
     "index.json: a: is mapped to 2.safetensors, which does not hold it"},
    {"unmapped", MAP("\"b\":\"2.safetensors\""), both_in_each, "", 0,
     "2.safetensors: a: the index does not map this tensor (at byte 113)"},
    {"in two shards", MAP(MAPPED), both_in_each, "", 0, "2.safetensors: a: is in 1.safetensors too"},
    {"in two shards, no index", NULL, both_in_each, "", 0, "2.safetensors: a: is in 1.safetensors too"},
    {"two forms of a model", NULL, two_forms, "", 0, "a: is in consolidated.safetensors too"},
    {"duplicate key", MAP(MAPPED ",\"a\":\"2.safetensors\""), both, "", 0,
     "index.json: invalid JSON: duplicate object key near '\"a\"' (at byte 58)"},
    {"index cut", "{\"weight_map\":{\"a\":", both, "", 0, "index.json: invalid JSON"},
    {"index empty", "", both, "", 0, "index.json: invalid JSON"},
    {"index a list", "[]", both, "", 0, "index.json: the JSON is not an object (at byte 0)"},
    {"no weight_map", "{}", both, "", 0, "index.json: has no weight_map"},
    {"weight_map a list", "{\"weight_map\":[]}", both, "", 0, "index.json: has no weight_map"},
    {"weight_map empty", MAP(""), both, "", 0, "holds no tensor"},
    {"PyTorch, cut", NULL, pytorch, "", 0, "pytorch_model.bin: is a ZIP archive that was cut (at byte 2)"},
    {"PyTorch's index", NULL, pytorch_index, "", 0, "model.bin.index.json: a: is mapped to \"../x.bin\""},
    {"PyTorch, first shard missing", NULL, pytorch_part, "", 0, "shard 1 of 2 is missing"},
    {"training's files only", NULL, training_alone, "", 0, "holds no model: no *.safetensors, *.bin"},
    {"weights of another kind", NULL, other_weights, "", 0, "a kind that cognate does not read: model.ckpt"},
    {"no weights", NULL, nothing, "", 0,
     "holds no model: no *.safetensors, *.bin, *.pt, *.pth, *.gguf, *.npz in it"},
    {"text file alone", NULL, nothing, "config.json", 0, "is of no format that cognate reads"},
    {"no such folder", NULL, nothing, "absent/folder", 0, "absent/folder: no such file or folder"},
};

static void check_row(struct scratch *scratch, size_t i)
{
    struct cg_checkpoint checkpoint = {0};
    struct cg_err err = {0};
    int result = cg_checkpoint_open(&checkpoint, scratch_path(scratch, rows[i].open), &err);
    const char *said = result < 0 ? err.text : checkpoint.warnings.data ? checkpoint.warnings.data : "";
    if ((result == 0) != (rows[i].tensors > 0))
        fail_msg("%s: %s: %s", rows[i].what, result == 0 ? "accepted" : "refused", said);
    assert_int_equal(err.code == CG_OK, result == 0);
    if (checkpoint.ntensors != rows[i].tensors)
        fail_msg("%s: %zu tensors", rows[i].what, checkpoint.ntensors);
    if (rows[i].message ? !strstr(said, rows[i].message) : *said != '\0')
        fail_msg("%s: \"%s\" does not say \"%s\"", rows[i].what, said, rows[i].message);
    assert_int_equal(checkpoint.alone, result == 0 && strstr(said, "read alone") != NULL);
    cg_checkpoint_release(&checkpoint);
}

static void test_rows(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct scratch scratch;
        scratch_make(&scratch);
        scratch_text(&scratch, "config.json", " {}");
        if (rows[i].index)
            scratch_text(&scratch, INDEX, rows[i].index);
        rows[i].make(&scratch);
        check_row(&scratch, i);
        scratch_remove(&scratch);
    }
}

/* Tensors of all shards in one order, each with its file. */
static void test_order(void **state)
{
    (void)state;
    struct scratch scratch;
    struct cg_checkpoint checkpoint = {0};
    struct cg_err err = {0};
    scratch_make(&scratch);
    scratch_safetensors(&scratch, "y.safetensors", -1, ONE("m"), 4);
    scratch_safetensors(&scratch, "x.safetensors", -1, TWO, 8);
    scratch_safetensors(&scratch, "z.safetensors", -1, ONE("Z"), 4);
    assert_int_equal(cg_checkpoint_open(&checkpoint, scratch.folder, &err), 0);
    static const char *const names[] = {"Z", "a", "b", "m"}, *const files[] = {"z", "x", "x", "y"};
    assert_int_equal(checkpoint.ntensors, 4);
    for (size_t i = 0; i < 4; i++) {
        const struct cg_tensor *tensor = &checkpoint.tensors[i];
        assert_string_equal(tensor->name, names[i]);
        const char *path = checkpoint.files[tensor->file].path;
        assert_int_equal(path[strlen(path) - strlen("x.safetensors")], files[i][0]);
    }
    cg_checkpoint_release(&checkpoint);
    scratch_remove(&scratch);
}

/* A file that is written, cut or replaced after its header was read. */
static void test_unchanged(void **state)
{
    (void)state;
    struct scratch scratch;
    struct cg_checkpoint checkpoint = {0};
    struct cg_err err = {0};
    scratch_make(&scratch);
    shard_a(&scratch);
    assert_int_equal(cg_checkpoint_open(&checkpoint, scratch.folder, &err), 0);
    struct cg_file *file = &checkpoint.files[0];
    assert_int_equal(cg_file_unchanged(file, true, &err), 0);
    file->device++;
    assert_int_equal(cg_file_unchanged(file, false, &err), 0);
    assert_int_equal(cg_file_unchanged(file, true, &err), -1);
    assert_int_equal(err.code, CG_ECHANGED);
    file->device--;
    file->mtime_ns--;
    assert_int_equal(cg_file_unchanged(file, true, &err), -1);
    file->mtime_ns++;
    file->inode++;
    assert_int_equal(cg_file_unchanged(file, true, &err), -1);
    assert_non_null(strstr(err.text, "1.safetensors: changed during the run: written or replaced"));
    file->inode--;
    int64_t bytes = file->bytes;
    assert_int_equal(truncate(file->path, 20), 0);
    assert_int_equal(cg_file_unchanged(file, true, &err), -1);
    assert_non_null(strstr(err.text, "changed during the run: 20 bytes, were "));
    assert_int_equal(bytes, file->bytes);
    assert_int_equal(unlink(file->path), 0);
    assert_int_equal(cg_file_unchanged(file, true, &err), -1);
    assert_int_equal(err.code, CG_ECHANGED);
    cg_checkpoint_release(&checkpoint);
    scratch_remove(&scratch);
}

/* The packed form brings back every field. */
static void test_pack(void **state)
{
    (void)state;
    struct scratch scratch;
    struct cg_checkpoint a = {0}, b = {0};
    struct cg_buf packed = {0}, again = {0};
    struct cg_err err = {0};
    scratch_make(&scratch);
    numbered(&scratch);
    scratch_text(&scratch, "config.json",
                 "{\"hidden_size\":4,\"model_type\":\"llama\",\"architectures\":[\"X\"]}");
    scratch_text(
        &scratch, INDEX,
        "{\"metadata\":{\"total_size\":1},\"weight_map\":{\"a\":\"model-00001-of-00002.safetensors\","
        "\"b\":\"model-00002-of-00002.safetensors\"}}");
    assert_int_equal(cg_checkpoint_open(&a, scratch.folder, &err), 0);
    a.alone = true;
    assert_int_equal(cg_checkpoint_pack(&a, &packed, &err), 0);
    struct cg_unpacker from = {packed.data, packed.data + packed.size};
    assert_int_equal(cg_checkpoint_unpack(&b, &from, &err), 0);
    assert_ptr_equal(from.at, from.end);
    assert_int_equal(b.ntensors, 2);
    assert_int_equal(b.nfiles, 2);
    assert_string_equal(b.given, scratch.folder);
    assert_string_equal(b.folder, scratch.folder);
    assert_string_equal(b.config.model_type, "llama");
    assert_string_equal(b.config.architecture, "X");
    assert_string_equal(b.config.quant_method, "");
    assert_int_equal(b.config.fact[CG_HIDDEN_SIZE], 4);
    assert_int_equal(b.config.fact[CG_VOCAB_SIZE], -1);
    assert_int_equal(b.config.tied, -1);
    assert_true(b.config.present);
    assert_true(b.alone);
    assert_string_equal(b.warnings.data, a.warnings.data);
    assert_string_equal(b.tensors[1].name, "b");
    assert_int_equal(b.tensors[1].file, 1);
    assert_int_equal(b.tensors[1].shape[0], 4);
    assert_int_equal(b.tensors[1].offset, a.tensors[1].offset);
    assert_int_equal(b.files[1].mtime_ns, a.files[1].mtime_ns);
    assert_int_equal(b.files[1].inode, a.files[1].inode);
    /* what was not looked at above is in the bytes */
    assert_int_equal(cg_checkpoint_pack(&b, &again, &err), 0);
    assert_int_equal(packed.size, again.size);
    assert_memory_equal(packed.data, again.data, packed.size);
    cg_buf_release(&packed);
    cg_buf_release(&again);
    cg_checkpoint_release(&a);
    cg_checkpoint_release(&b);
    scratch_remove(&scratch);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rows),
        cmocka_unit_test(test_order),
        cmocka_unit_test(test_unchanged),
        cmocka_unit_test(test_pack),
    };
    return cmocka_run_group_tests_name("shards", tests, NULL, NULL);
}
