"""A result file, seen by h5py, netCDF4, and xarray with both of its engines.

tests/result/write_sample makes the files; sample.h says which value is where, computed again here.
"""

import hashlib
import os
import re
import resource
import subprocess

import h5py
import netCDF4
import numpy as np
import pytest
import xarray

WRITE_SAMPLE = os.path.join(os.environ["CG_BUILD"], "tests", "result", "write_sample")
SCHEMA = os.path.join(os.environ["CG_SOURCE"], "include", "cognate", "result_schema.h")
SIZES = dict(model=3, pair=2, skipped=2, tensor=5, layer_a=2, layer_b=3, role_group=4, expert_match=6, merge_row=3, cell=4,
             identity=3, token=7, sample=4, component=2, feature=8)
EMPTY = dict(SIZES, skipped=0, layer_a=0, layer_b=0, token=0, expert_match=0, merge_row=0, cell=0, identity=0, sample=0,
             component=0)
GROUPS = ["/", "/tensors", "/layers", "/experts", "/cells", "/merges", "/identities", "/embeddings", "/pca"]
KINDS = dict(BOOL=np.bool_, INT32=np.int32, INT64=np.int64, FLOAT64=np.float64)


def schema():
    """(group, name, type, dims, units, long_name) out of the header's own text."""
    text = open(SCHEMA).read().replace("\\\n", " ")
    for define in re.finditer(r"#define CG_(\w+)_VARIABLES\(V\)(.*)", text):
        group = "/" if define[1] == "ROOT" else "/" + define[1].lower()
        for row in re.finditer(r'V\((\w+), (\w+), (\w+), (\w+), (\w+), "([^"]*)",\s*"([^"]*)"\)', define[2]):
            dims = tuple(d.lower() for d in row.groups()[2:5] if d != "NONE")
            yield group, row[1], row[2], dims, row[6], row[7]


VARIABLES = list(schema())


def expected(name, kind, shape):
    """The values of a variable, as sample.h says."""
    n = int(np.prod(shape))
    cells = np.arange(n)
    if kind == "TEXT":
        values = np.array([f"{name} é {i}" for i in cells[:-1]] + [""] * (n > 0), dtype=object)
    elif kind == "FLOAT64":
        values = len(name) + cells / 8
        values[-1:] = np.nan
    elif kind == "BOOL":
        values = cells % 2 == 1
    else:
        values = (100 * len(name) + cells).astype(KINDS[kind])
    return values.reshape(shape)


@pytest.fixture(scope="module", params=["full", "empty", "no-pca", "large"])
def sample(request, tmp_path_factory):
    path = str(tmp_path_factory.mktemp("result") / (request.param + ".h5"))
    subprocess.run([WRITE_SAMPLE, path, request.param], check=True)
    sizes = dict(EMPTY if request.param == "empty" else SIZES)
    if request.param == "large":
        sizes["token"] = 200000
    groups = GROUPS[:-1] if request.param == "no-pca" else GROUPS
    return path, sizes, [row for row in VARIABLES if row[0] in groups], groups


def test_the_schema_was_parsed():
    text = open(SCHEMA).read()
    assert len(VARIABLES) == len(re.findall(r"^ {4}V\(", text, re.M)) > 80


@pytest.mark.parametrize("engine", ["h5netcdf", "netcdf4"])
def test_xarray_opens_every_group(sample, engine):
    path, sizes, rows, groups = sample
    for group in groups:
        with xarray.open_dataset(path, engine=engine, group=group) as data:
            mine = [row for row in rows if row[0] == group]
            assert set(data.variables) == {row[1] for row in mine}
            for _, name, kind, dims, units, long_name in mine:
                variable = data[name]
                want = expected(name, kind, [sizes[d] for d in dims])
                assert variable.dims == dims
                assert variable.attrs["long_name"] == long_name and variable.attrs["units"] == units
                if kind == "TEXT":
                    assert variable.values.astype(str).tolist() == want.tolist(), name
                else:
                    assert variable.dtype == KINDS[kind], name
                    np.testing.assert_array_equal(variable.values, want, name)


def test_xarray_selects_by_role_group(sample):
    path, sizes, _, _ = sample
    with xarray.open_dataset(path, engine="h5netcdf", group="/layers") as data:
        assert data["role_group"].dims == ("role_group",)
        chosen = data["cosine"].sel(role_group="role_group é 1")
        assert chosen.dims == ("pair", "layer_b")
        np.testing.assert_array_equal(chosen, data["cosine"].values[:, :, 1])


def test_netcdf4_reads_all(sample):
    path, sizes, rows, groups = sample
    with netCDF4.Dataset(path) as data:
        data.set_auto_chartostring(False)  # netCDF4 1.6 mistakes the bytes of UTF-8 for its characters
        assert set(data.groups) == {g[1:] for g in groups[1:]} | {"run"}
        found = {name for name, d in data.dimensions.items() if not name.startswith("strlen_")}
        assert found == {"model", "pair", "skipped"}
        for group, name, kind, dims, _, _ in rows:
            variable = data[group][name] if group != "/" else data[name]
            named = [d for d in variable.dimensions if not d.startswith("strlen_")]
            assert tuple(named) == dims and len(variable.dimensions) == len(dims) + (kind == "TEXT")
            values = variable[:]
            want = expected(name, kind, [sizes[d] for d in dims])
            if kind == "TEXT":
                texts = np.char.decode(np.ma.getdata(values).view(f"S{values.shape[-1]}")[..., 0], "utf-8")
                assert texts.tolist() == want.tolist(), name
            else:
                np.testing.assert_array_equal(np.ma.filled(values.astype(np.float64), np.nan),
                                              want.astype(np.float64), name)


def test_netcdf4_appends(sample, tmp_path):
    """netCDF-C opens files without creation order for reading only."""
    copy = str(tmp_path / "copy.nc")
    with open(sample[0], "rb") as old, open(copy, "wb") as new:
        new.write(old.read())
    with netCDF4.Dataset(copy, "a") as data:
        data.createVariable("added", "f8", ("model",))[:] = 1.0
    with netCDF4.Dataset(copy) as data:
        assert data["added"][:].tolist() == [1.0, 1.0, 1.0]


def test_h5py_sees_the_contract(sample):
    path, sizes, rows, groups = sample
    with h5py.File(path) as data:
        for group, name, kind, dims, _, _ in rows:
            dataset = data[group][name]
            assert dataset.shape[:len(dims)] == tuple(sizes[d] for d in dims)
            attributes = dataset.attrs
            if kind == "TEXT":
                assert dataset.dtype == np.dtype("S1") and attributes["_Encoding"] == "utf-8"
                assert len(dataset.shape) == len(dims) + 1 and dataset.shape[-1] >= 1
            if kind == "BOOL":
                assert dataset.dtype == np.int8 and attributes["dtype"] == "bool"
            if kind == "FLOAT64":
                assert dataset.dtype == np.dtype("<f8") and np.isnan(attributes["_FillValue"])
            if name not in dims:
                for i, axis in enumerate(dataset.dims):
                    assert len(axis) == 1, (name, i)
                    scale = axis[0].name.split("/")[-1]
                    assert scale == dims[i] if i < len(dims) else scale == f"strlen_{dataset.shape[-1]}"


def test_every_dataset_has_its_hash_and_no_times(sample):
    datasets = []

    def visit(name, item):
        if isinstance(item, h5py.Dataset):
            datasets.append(name)
            assert item.attrs["sha256"] == hashlib.sha256(item[...].tobytes()).hexdigest(), name
            assert not item.id.get_create_plist().get_obj_track_times()
            assert (item.chunks is not None) == (item.size * item.dtype.itemsize > 1 << 20), name
        order = item.id.get_create_plist().get_attr_creation_order()
        assert order == h5py.h5p.CRT_ORDER_TRACKED | h5py.h5p.CRT_ORDER_INDEXED

    with h5py.File(sample[0]) as data:
        data.visititems(visit)
    assert len(datasets) > 70


def test_root_attributes(sample):
    with h5py.File(sample[0]) as data:
        attributes = data.attrs
        assert attributes["Conventions"] == "CF-1.11, ACDD-1.3"
        assert attributes["source"] == "cognate 0.0.0"
        assert attributes["cognate_schema"] == 1 and attributes["cognate_schema"].dtype == np.int32
        assert attributes["notes"] == "first note é\nsecond note\n"
        assert attributes["title"] and attributes["references"]
        if "pca" in data:
            assert data["pca"].attrs["features"] == "sketch:8"


def test_run_attributes(sample):
    want = dict(date_created="2020-02-02T02:02:02Z", history="cognate compare a b", ranks=4, hosts=2,
                wall_seconds=1.5, sweep_seconds=1.25, read_seconds_max=0.75, read_seconds_mean=0.5, bytes_read=1 << 40,
                bytes_reread=17, peak_rss_bytes_max=123456789, status="complete")
    with h5py.File(sample[0]) as data:
        run = data["run"]
        assert len(run) == 0 and dict(run.attrs) == want
    for engine in ("h5netcdf", "netcdf4"):
        with xarray.open_dataset(sample[0], engine=engine, group="/run") as data:
            assert data.attrs["status"] == "complete" and data.attrs["bytes_read"] == 1 << 40


def test_the_same_bytes_again(sample, tmp_path):
    again = str(tmp_path / "again.h5")
    kind = os.path.basename(sample[0])[:-3]
    subprocess.run([WRITE_SAMPLE, again, kind], check=True)
    assert open(again, "rb").read() == open(sample[0], "rb").read()


def test_verify_command(sample):
    command = [os.environ["COGNATE"], "verify", sample[0]]
    done = subprocess.run(command, capture_output=True, text=True)
    with h5py.File(sample[0]) as data:
        datasets = []
        data.visititems(lambda _, item: datasets.append(item) if isinstance(item, h5py.Dataset) else None)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == f"{sample[0]}: sound, {len(datasets)} datasets\n"


@pytest.mark.parametrize("limit", [0, 1000, 20000, 60000, 100000])
def test_a_full_disk_is_one_line_and_status_1(tmp_path, limit):
    """Not a crash: HDF5 1.10 falls at exit over files that it could not close."""
    path = tmp_path / "result.h5"
    done = subprocess.run([WRITE_SAMPLE, str(path), "full"], capture_output=True, text=True, restore_signals=False,
                          preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit)))
    assert done.returncode == 1 and done.stderr.count("\n") == 1
    assert done.stderr.startswith(f"write_sample: {path}: ") and "File too large" in done.stderr
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("arguments, status, words", [
    ([], 2, "takes one result file"),
    (["a", "b"], 2, "takes one result file"),
    (["--nonsense"], 2, "nonsense"),
    (["/nowhere/result.h5"], 1, "cognate: error: /nowhere/result.h5: No such file or directory"),
    (["/"], 1, "is a folder"),
    (["/dev/null"], 1, "is no regular file"),
    (["--help"], 0, ""),
])
def test_verify_refuses(arguments, status, words):
    done = subprocess.run([os.environ["COGNATE"], "verify", *arguments], capture_output=True, text=True)
    assert done.returncode == status and words in done.stderr
    assert done.stderr.count("\n") <= 1
