"""Files of other tools, under their own names and under false ones."""

from __future__ import annotations

import os
import pickle
import zipfile
from pathlib import Path

import numpy as np

from tests.engine.hostile.case import Case


class Act:
    """A pickle of it would write the marker when it is read."""

    def __init__(self, marker: Path) -> None:
        self.marker = marker

    def __reduce__(self) -> tuple[object, tuple[str, bytes]]:
        return _touch, (str(self.marker), b"written")


def _touch(path: str, content: bytes) -> None:
    Path(path).write_bytes(content)


def cases(folder: Path, marker: Path) -> list[Case]:
    """Write the files."""
    acting = pickle.dumps(Act(marker))
    np.save(folder / "array.npy", np.ones(3))
    np.savez(folder / "arrays.npz", a=np.ones(3))
    for name in ("new.pt", "new.keras"):
        with zipfile.ZipFile(folder / name, "w") as archive:
            archive.writestr("archive/data.pkl", acting)
            archive.writestr("archive/data/0", b"\0" * 16)
    with zipfile.ZipFile(folder / "photos.zip", "w") as archive:
        archive.writestr("photo.jpg", b"\xff\xd8\xff")
    with zipfile.ZipFile(folder / "nothing.zip", "w"):
        pass
    os.symlink("/etc/passwd", folder / "linked.keras")
    onnx = b"\x08\x08\x12\x07pytorch\x1a\x032.1"
    contents = {
        "model.pkl": (acting, "pickle"),
        "pickle_named.keras": (acting, "pickle"),
        "old.pt": (pickle.dumps(0x1950A86A20F9469CFC6C, 2) + acting, "pickle"),
        "old_pickle.h5": (pickle.dumps(Act(marker), 0), "formats"),
        "model.onnx": (onnx, "onnx"),
        "onnx_named.pb": (onnx, "onnx"),
        "model.tflite": (b"\x1c\x00\x00\x00TFL3" + b"\0" * 40, "lite"),
        "model.ckpt": (b"\0" * 64, "checkpoint"),
        "model.ckpt-1.index": (b"\0" * 64, "checkpoint"),
        "model.ckpt-1.data-00000-of-00001": (b"\0" * 64, "checkpoint"),
        "model.ckpt-1.meta": (b"\n\x02\x08\x01", "checkpoint"),
        "empty.keras": (b"", "empty"),
        "picture.h5": (b"\x89PNG\r\n\x1a\n" + b"\0" * 32, "formats"),
        "program.pb": (b"\x7fELF" + b"\0" * 64, "formats"),
        "page.keras": (b"<!DOCTYPE html><html></html>", "formats"),
        "prefixed.keras": (b"#!/bin/sh\n" + (folder / "new.pt").read_bytes(), "formats"),
        "line\nbreak\u202e.keras": (b"text", "formats"),
    }
    found = []
    for name, (content, word) in contents.items():
        (folder / name).write_bytes(content)
        found.append(Case(f"other_{name}", folder / name, "refuse", word))
    return [
        *found,
        Case("other_array", folder / "array.npy", "refuse", "npy"),
        Case("other_arrays", folder / "arrays.npz", "refuse", "npz"),
        Case("other_new_torch", folder / "new.pt", "refuse", "pickle"),
        Case("other_torch_named_keras", folder / "new.keras", "refuse", "pickle"),
        Case("other_photos", folder / "photos.zip", "refuse", "neither"),
        Case("other_nothing", folder / "nothing.zip", "refuse", "content"),
        Case("other_link", folder / "linked.keras", "refuse", "formats"),
        Case("other_missing", folder / "missing.keras", "refuse", "not there"),
    ]
