"""What a file is, told by its content; what is never opened is refused by name."""

from __future__ import annotations

import zipfile
from pathlib import Path

from saliency_core.engine.gate.refusal import SAVE_AGAIN, Limits, Stop, size

PYTORCH = (
    "Convert the model to TensorFlow first, for example through ONNX or by rebuilding it in Keras, and save "
    "it with model.save('name.keras')."
)
NEEDED = (
    "Give a .keras file, a whole-model .h5 file, a SavedModel folder or its .zip, or a frozen graph (.pb)."
)
WHOLE = "Save the whole model with model.save('name.keras'), not its weights alone."
HDF5 = b"\x89HDF\r\n\x1a\n"


def kind(path: Path, limits: Limits) -> str:
    """Return "zip", "h5", "folder" or "graph"; raises Stop for everything else."""
    if path.is_dir():
        return "folder"
    if not path.is_file():
        raise Stop("", "it is not there, or not an ordinary file", NEEDED)
    length = path.stat().st_size
    if length > limits.total:
        raise Stop("", f"it is too large: {size(length)}, {size(limits.total)} are allowed", NEEDED)
    with path.open("rb") as file:
        head = file.read(512)
    _refuse_by_name(head, path)
    if head.startswith(b"PK\x03\x04"):
        return "zip"
    if head.startswith(HDF5):
        return "h5"
    if head[:1] == b"\x0a":  # the first field of a GraphDef: a node
        return "graph"
    raise Stop("", "its content is none of the formats that can be opened", NEEDED)


def archive_kind(archive: zipfile.ZipFile) -> str:
    """Return "keras" or "saved_model" for an archive; raises Stop for the archives of other tools."""
    names = archive.namelist()
    if "config.json" in names:
        return "keras"
    if any(name.rsplit("/", 1)[-1] in MODEL_FILES and name.count("/") <= 1 for name in names):
        return "saved_model"
    last = {name.rsplit("/", 1)[-1] for name in names}
    if "data.pkl" in last or "constants.pkl" in last:
        raise Stop("", "it is a PyTorch file, which holds a pickle: reading it can run any program", PYTORCH)
    if names and all(name.endswith(".npy") for name in names):
        raise Stop("", "it is a NumPy archive (.npz): weights without a network", WHOLE)
    raise Stop("", "the archive holds neither a Keras model nor a SavedModel", NEEDED)


MODEL_FILES = ("saved_model.pb", "saved_model.pbtxt", "saved_model.cpb")


def _refuse_by_name(head: bytes, path: Path) -> None:
    name = path.name.lower()
    if not head:
        raise Stop("", "it is empty", SAVE_AGAIN)
    if head[:1] == b"\x80" and head[1:2] in b"\x02\x03\x04\x05" and len(head) > 1:
        raise Stop("", "it is a pickle: reading it can run any program", _for_pickle(name))
    if head.startswith(b"\x93NUMPY"):
        raise Stop("", "it is a NumPy array (.npy): weights without a network", WHOLE)
    if head[4:8] == b"TFL3":
        hint = "Give the model it was converted from: its SavedModel folder or .keras file."
        raise Stop("", "it is a TensorFlow Lite model, which has no gradients", hint)
    if head.startswith(b"\x08\x01"):  # the version of a SavedModel
        raise Stop("", "it is one file of a SavedModel", "Give its whole folder, or a .zip of it.")
    if name.endswith(".onnx") or (head[:1] == b"\x08" and b"\x12" in head[2:4]):
        hint = "Convert it to a SavedModel first, for example with onnx2tf, and give that folder."
        raise Stop("", "it is an ONNX model", hint)
    if name.endswith((".pt", ".pth")):
        raise Stop("", "it is a PyTorch file, which holds a pickle: reading it can run any program", PYTORCH)
    if name.endswith((".ckpt", ".index", ".meta")) or ".data-0000" in name or name == "checkpoint":
        raise Stop("", "it is a TensorFlow checkpoint: weights without a network", WHOLE)


def _for_pickle(name: str) -> str:
    return PYTORCH if name.endswith((".pt", ".pth", ".bin", ".ckpt")) else WHOLE
