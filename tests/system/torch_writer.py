"""PyTorch checkpoints without PyTorch: Python's own pickler and zipfile, or the older stream of pickles."""

import io
import json
import math
import pickle
import struct
import zipfile
from collections import OrderedDict


class Name:
    """Something that a pickle refers to by its name. It is never called."""

    def __init__(self, module, name):
        self.module, self.name = module, name

    def __call__(self, *arguments):
        raise AssertionError(f"{self.module}.{self.name} was called")


REBUILD_V2 = Name("torch._utils", "_rebuild_tensor_v2")
REBUILD_V3 = Name("torch._utils", "_rebuild_tensor_v3")
PARAMETER = Name("torch._utils", "_rebuild_parameter")
UNTYPED = Name("torch.storage", "UntypedStorage")
CLASSES = {
    dtype: (Name("torch", name + "Storage"), width)
    for dtype, name, width in (
        ("F64", "Double", 8),
        ("F32", "Float", 4),
        ("F16", "Half", 2),
        ("BF16", "BFloat16", 2),
        ("I64", "Long", 8),
        ("I32", "Int", 4),
        ("I16", "Short", 2),
        ("I8", "Char", 1),
        ("U8", "Byte", 1),
        ("BOOL", "Bool", 1),
    )
}
# Types that have no storage class: bytes, and the type beside them.
NEW_TYPES = {
    "U16": (Name("torch", "uint16"), 2),
    "F8_E4M3": (Name("torch", "float8_e4m3fn"), 1),
    "F8_E5M2": (Name("torch", "float8_e5m2"), 1),
}
MAGIC, VERSION = 0x1950A86A20F9469CFC6C, 1001


class Storage:
    def __init__(self, dtype, data):
        self.kind, self.width = CLASSES.get(dtype, (UNTYPED, 1))
        self.data, self.key = data, None


class View:
    """A tensor: elements of a storage from `offset` on, row by row unless strides are given."""

    def __init__(self, tensor, storage=None, offset=0, strides=None):
        self.tensor, self.offset = tensor, offset
        self.storage = storage or Storage(tensor.dtype, tensor.data)
        rows = [math.prod(tensor.shape[axis + 1 :]) for axis in range(len(tensor.shape))]
        self.strides = tuple(rows) if strides is None else strides

    def __reduce_ex__(self, protocol):
        view = (self.storage, self.offset, self.tensor.shape, self.strides, False, OrderedDict())
        new = NEW_TYPES.get(self.tensor.dtype)
        return (REBUILD_V3, (*view, new[0])) if new else (REBUILD_V2, view)


class Parameter:
    def __init__(self, view):
        self.view = view

    def __reduce_ex__(self, protocol):
        return PARAMETER, (self.view, True, OrderedDict())


class Pickler(pickle._Pickler):
    """Names are written as they are; storages become persistent ids, and are kept by key in `storages`."""

    def __init__(self, out, legacy):
        super().__init__(out, protocol=2)
        self.legacy, self.storages = legacy, {}

    def save(self, obj, save_persistent_id=True):
        if not isinstance(obj, Name):
            super().save(obj, save_persistent_id)
        elif id(obj) in self.memo:
            self.write(self.get(self.memo[id(obj)][0]))
        else:
            self.write(f"c{obj.module}\n{obj.name}\n".encode())
            self.memoize(obj)

    def persistent_id(self, obj):
        if not isinstance(obj, Storage):
            return None
        if obj.key is None or obj.key not in self.storages:
            obj.key = str(len(self.storages))
            self.storages[obj.key] = obj
        part = ("storage", obj.kind, obj.key, "cpu", len(obj.data) // obj.width)
        return (*part, None) if self.legacy else part


def pickled(thing, legacy=False):
    out = io.BytesIO()
    pickler = Pickler(out, legacy)
    pickler.dump(thing)
    return out.getvalue(), pickler.storages


def write_zip(path, thing):
    text, storages = pickled(thing)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as archive:
        archive.writestr("archive/data.pkl", text)
        archive.writestr("archive/byteorder", "little")
        for key, storage in storages.items():
            archive.writestr(f"archive/data/{key}", storage.data)
        archive.writestr("archive/version", "3\n")


def write_stream(path, thing):
    text, storages = pickled(thing, legacy=True)
    system = {"protocol_version": VERSION, "little_endian": True, "type_sizes": {"short": 2, "int": 4, "long": 4}}
    keys = sorted(storages, reverse=True)
    with open(path, "wb") as out:
        for part in (MAGIC, VERSION, system):
            out.write(pickle.dumps(part, protocol=2))
        out.write(text)
        out.write(pickle.dumps(keys, protocol=2))
        for key in keys:
            out.write(struct.pack("<q", len(storages[key].data) // storages[key].width))
            out.write(storages[key].data)


def write_shards(folder, tensors, shards):
    """As checkpoints.write_shards, with PyTorch's names."""
    names, weight_map = list(tensors), {}
    for k in range(shards):
        file = f"pytorch_model-{k + 1:05d}-of-{shards:05d}.bin"
        write_zip(folder / file, {name: View(tensors[name]) for name in names[k::shards]})
        weight_map.update(dict.fromkeys(names[k::shards], file))
    total = sum(len(tensor.data) for tensor in tensors.values())
    index = dict(metadata=dict(total_size=total), weight_map=weight_map)
    (folder / "pytorch_model.bin.index.json").write_text(json.dumps(index))
