"""Result files as plain numpy: what a notebook would see, without a line of cognate."""

import hashlib

import h5py
import numpy as np


def decode(dataset):
    """A dataset's values; 2-D char becomes an array of str."""
    values = dataset[()]
    if dataset.dtype.kind != "S":
        return values
    if values.shape[-1] == 0:
        return np.full(values.shape[:-1], "", dtype=object)
    joined = np.ascontiguousarray(values).view(f"S{values.shape[-1]}")[..., 0]
    return np.vectorize(bytes.decode, otypes=[object])(joined)


def load(path):
    """{group: {variable: values}}; the attributes of /run stand in as its variables. The root is ''."""
    result = {}
    with h5py.File(path, "r") as file:
        groups = {"": file} | {name: item for name, item in file.items() if isinstance(item, h5py.Group)}
        for name, group in groups.items():
            result[name] = {key: decode(item) for key, item in group.items() if isinstance(item, h5py.Dataset)}
        result["run"] = {key: plain(value) for key, value in file["run"].attrs.items()}
        result["attributes"] = {key: plain(value) for key, value in file.attrs.items()}
        if "pca" in file:
            result["pca"]["features"] = plain(file["pca"].attrs["features"])
    return result


def edit(path, **changes):
    """Replaces datasets ("layers/layer_map") of a result by arrays of the same shape, with their digests."""
    with h5py.File(path, "r+") as file:
        for name, values in changes.items():
            dataset = file[name.replace("__", "/")]
            dataset[...] = np.asarray(values, dataset.dtype)
            dataset.attrs.modify("sha256", hashlib.sha256(dataset[()].tobytes()).hexdigest())


def plain(value):
    value = value.decode() if isinstance(value, bytes) else value
    return value.item() if isinstance(value, np.ndarray) and value.size == 1 else value


# Netcdf's own bookkeeping: object references are addresses in the file, and say nothing that `scales` does not.
REFERENCES = {"DIMENSION_LIST", "REFERENCE_LIST"}


def fingerprint(path, leave_out=("run", "pca")):
    """Everything in the file as {place: bytes}, for comparing two files bit for bit."""
    found = {}

    def keep(place, thing):
        found[place] = (str(thing.dtype), thing.shape, np.asarray(thing).tobytes())

    def visit(group, prefix):
        attributes(group, prefix)
        for name, item in group.items():
            if prefix == "/" and name in leave_out:
                continue
            if isinstance(item, h5py.Group):
                visit(item, prefix + name + "/")
            else:
                keep(prefix + name, item[()])
                found[prefix + name + " scales"] = [scale.name for axis in item.dims for scale in axis.values()]
                attributes(item, prefix + name + " ")

    def attributes(item, prefix):
        for name in item.attrs:
            if name not in REFERENCES:
                keep(prefix + "@" + name, np.asarray(item.attrs[name]))

    with h5py.File(path, "r") as file:
        visit(file, "/")
    return found
