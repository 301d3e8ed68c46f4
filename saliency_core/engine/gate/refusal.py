"""What the gate answers: how much a file may hold, what was admitted, and why another was refused."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from saliency_core.errors import ModelError

MEBIBYTE = 2**20

OWN_PARTS = (
    "Rebuild the model from standard Keras layers, export it with model.export('folder') and give that "
    "folder, or open it in Python, where its code is known: open_model(the_live_model)."
)
SAVE_AGAIN = "Save or download the model once more and give the new file."
WRITE_ANEW = (
    "Load the model in Python where you trust it, and write it anew with model.save('name.keras') or "
    "model.export('folder')."
)


@dataclass(frozen=True)
class Limits:
    """How much a stranger's file may hold; each limit is far above what honest models need."""

    total: int = 1024 * MEBIBYTE  # bytes of the file, of what is unpacked, and of all weights
    members: int = 2_000  # files in an archive or a folder
    ratio: int = 50  # how much smaller than its content a part may be stored
    small: int = MEBIBYTE  # below this size the ratio does not matter: configs of many equal layers pack well
    text: int = 4 * MEBIBYTE  # config.json; the largest Keras Application has 1 MB
    depth: int = 60  # of brackets in a config, of groups in an HDF5 file; honest ones have about 15
    objects: int = 40_000  # in an HDF5 file
    nodes: int = 50_000  # in one graph or function
    all_nodes: int = 400_000  # in a whole model, functions put in place of their calls
    functions: int = 5_000
    chain: int = 10_000  # operations one after the other; TensorFlow's own stack gives up near 100,000


@dataclass(frozen=True)
class Admitted:
    """A file that passed: what it is, what to open, and what the user should know."""

    format: str  # "keras" | "hdf5" | "saved_model" | "graph"
    path: Path
    notices: tuple[str, ...] = ()


class Refused(ModelError):
    """A model file that is not opened; names the file, the part, the reason and what to do."""

    def __init__(self, file: str, part: str, reason: str, hint: str) -> None:
        self.file, self.part, self.reason = file, part, reason
        where = f" in {part}," if part else ""
        super().__init__(f"{file} was not opened:{where} {reason}.", hint)


class Stop(Exception):
    """Raised where a rule is broken; the door adds the file's name and turns it into Refused."""

    def __init__(self, part: str, reason: str, hint: str = SAVE_AGAIN) -> None:
        self.part, self.reason, self.hint = part, reason, hint
        super().__init__(reason)


def shown(text: object, most: int = 80) -> str:
    """A foreign name as one short printable line."""
    line = "".join(sign if sign.isprintable() else "?" for sign in str(text))
    return line if len(line) <= most else f"{line[: most - 3]}..."


def size(count: int) -> str:
    """Bytes in words."""
    return f"{count / MEBIBYTE:,.1f} MiB" if count < 2**70 else "more bytes than any computer holds"
