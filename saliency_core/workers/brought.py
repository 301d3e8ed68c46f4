"""In a confined worker: the one model that somebody brought, checked, opened, and kept open."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from saliency_core.engine.gate import Admitted, Refused, admit
from saliency_core.engine.gate.refusal import shown
from saliency_core.errors import WorkerError
from saliency_core.models.description import Choices
from saliency_core.models.model import Model
from saliency_core.models.opening import OnProgress, opened_file
from saliency_core.revive import revive
from saliency_core.workers import sandbox

GRAPHS = ("saved_model", "graph")
_held: dict[str, Model] = {}


def brought(params: Mapping[str, Any], on_progress: OnProgress = lambda done, total, words: None) -> Model:
    """Return the model at `params["upload"]["path"]`, opened as `choices`, `labels` and `name` say.

    It is checked before anything of it runs. Other choices open it anew. Raises ModelError.
    """
    wanted = {name: params.get(name) for name in ("upload", "choices", "labels", "name")}
    key = json.dumps(wanted, sort_keys=True)
    if key not in _held:
        _held.clear()
        _held[key] = _open(**wanted, on_progress=on_progress)
    return _held[key]


def at_hand() -> Model:
    """Return the model that was opened last, as it was opened; raises WorkerError when there is none."""
    if not _held:
        raise WorkerError("No model is open in this process.", "Open the model again.")
    return next(iter(_held.values()))


def _open(upload: Any, choices: Any, labels: Any, name: Any, on_progress: OnProgress) -> Model:
    path = Path(upload["path"])
    title = str(name or path.stem)
    on_progress(0, 2, "checking the file")
    found = _admitted(path, upload["scratch"], title)
    on_progress(1, 2, "opening the model")
    chosen = revive(Choices, choices or {})
    return opened_file(found.path, found.format, chosen, tuple(labels or ()), title, found.notices)


def _admitted(path: Path, scratch: str, title: str) -> Admitted:
    """Check the file under the name that its owner knows it by."""
    title = shown(title)
    try:
        found = admit(path, Path(tempfile.mkdtemp(dir=scratch)))
    except Refused as no:
        raise Refused(title, no.part, no.reason, no.hint) from no
    if found.format in GRAPHS and not sandbox.graphs_allowed():
        reason = "this system cannot shut in a process, and a graph of TensorFlow can do what a program can"
        hint = "Save the model as a .keras file, or ask whoever runs this server."
        raise Refused(title, "", reason, hint)
    return found
