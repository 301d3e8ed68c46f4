"""One door to every model: a name from the catalogue, a path, or a live Keras model."""

from __future__ import annotations

import json
import os
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from saliency_core.errors import ModelError
from saliency_core.grammar import parse
from saliency_core.models.description import Choices, Description
from saliency_core.models.labels import read_labels
from saliency_core.models.model import Card, Model
from saliency_core.models.preprocessing import Preprocessing

BUNDLED = Path(__file__).parent / "bundled"
MOST_OPEN = 6
FIRST_MODEL = "scenes"  # what a visitor sees first
NAMES_AGAIN_S = 60.0  # before class names that could not be fetched are asked for again
OnProgress = Callable[[float, float, str], None]

_open: OrderedDict[str, Model] = OrderedDict()
_names_asked: dict[str, float] = {}  # when, by model
_lock = threading.RLock()


def bundled_cards() -> dict[str, dict[str, Any]]:
    """Return the cards of the models that ship with the library, by name, in menu order."""
    cards = [json.loads(path.read_text()) for path in sorted(BUNDLED.glob("*.json"))]
    order = {name: place for place, name in enumerate(("digits", "scenes", "scenes_shortcut"))}
    return {card["name"]: card for card in sorted(cards, key=lambda c: (order.get(c["name"], 9), c["name"]))}


def model_names() -> tuple[str, ...]:
    """Return every name that open_model accepts: bundled models first, then Keras Applications."""
    from saliency_core.models.catalogue import CATALOGUE

    return (*bundled_cards(), *CATALOGUE)


@dataclass(frozen=True)
class Entry:
    """One line of the model menu, known without opening anything."""

    name: str
    title: str
    group: str  # "bundled" | "imagenet"
    facts: str
    about: str
    megabytes: float = 0.0  # to download when first chosen


def menu() -> tuple[Entry, ...]:
    """Return every model that can be chosen, with its size and accuracy in one line."""
    from saliency_core.models.catalogue import CATALOGUE

    rows = []
    for card in bundled_cards().values():
        size = " x ".join(str(extent) for extent in card["input"])
        accuracy = [f"{m['value']:.1%} {m['of']} on {m['on']}" for m in card.get("measured", [])]
        rows.append(
            Entry(card["name"], card["title"], "bundled", "; ".join([size, *accuracy]), card["about"])
        )
    for name, entry in CATALOGUE.items():
        share = f"{entry.top1:.1%} accuracy on ImageNet" if entry.top1 else "accuracy not published"
        line = f"{entry.size} x {entry.size} x 3; {share}; {entry.megabytes:.0f} MB download"
        rows.append(Entry(name, entry.title, "imagenet", line, entry.about, entry.megabytes))
    return tuple(rows)


def open_model(
    source: Any,
    *,
    preprocessing: Preprocessing | str = "raw",
    labels: Sequence[str] | str | os.PathLike[str] = (),
    size: Sequence[int] | None = None,
    name: str = "",
    signature: str = "",
    input: str = "",
    output: int | str = "",
    others: Mapping[str, Any] | None = None,
    trusted: bool = False,
    on_progress: OnProgress | None = None,
) -> Model:
    """Open a model by catalogue name, by path, or a live Keras model.

    Paths: a .keras file, an .h5 file with the whole model, the folder of a SavedModel, or a frozen graph
    of TensorFlow 1 (.pb). `preprocessing` (a name such as "unit", or an object) says how raw pixels
    become the model's input; it is ignored for catalogue names, whose own is used. `labels` are the names
    of the classes, or a file with one a line. `size` is needed where a model leaves its input size open,
    and tells for a flat input which image it is. `signature`, `input` and `output` choose where a file
    holds several; `others` are fixed values for inputs that are no images.

    A file is checked before anything of it runs, and then opened and run in a confined process of its
    own. `trusted` says that you made it yourself: it opens in this process, unchecked, and quicker.
    Raises ModelError with what to do.
    """
    if isinstance(source, Model):
        return source
    if isinstance(source, str) and source in model_names():
        return _from_catalogue(source, on_progress)
    ready = parse("preprocessing", preprocessing) if isinstance(preprocessing, str) else preprocessing
    choices = Choices(
        ready.spelling,
        None if size is None else tuple(int(extent) for extent in size),
        signature,
        input,
        output,
        dict(others or {}),
    )
    if isinstance(source, str | os.PathLike):
        return _from_path(Path(source), choices, read_labels(labels), name, trusted, on_progress)
    from saliency_core.engine.opening import compile_keras

    compiled, known = compile_keras(source, choices)
    title = name or str(getattr(source, "name", "model"))
    facts = {"name": title, "title": title, "labels": read_labels(labels)}
    return Model(compiled, _card(compiled, facts, ready.spelling, known))


def _from_path(
    path: Path,
    choices: Choices,
    labels: tuple[str, ...],
    name: str,
    trusted: bool,
    on_progress: OnProgress | None,
) -> Model:
    if not path.exists():
        raise ModelError(
            f"There is no model named {str(path)[:80]!r}, and no such file.",
            f"Names: {', '.join(model_names())}; or give a path to a .keras file.",
        )
    if not trusted:
        from saliency_core.models.confined import open_confined

        return open_confined(path, choices, labels, name or path.name, on_progress)
    from saliency_core.engine.formats.opening import format_of

    return opened_file(path, format_of(path), choices, labels, name or path.name)


def opened_file(
    path: Path,
    format: str,
    choices: Choices,
    labels: Sequence[str] = (),
    name: str = "",
    notices: Sequence[str] = (),
) -> Model:
    """Open a file in this process, which runs what it holds: one that is trusted, or was checked."""
    from saliency_core.engine.opening import compile_file

    compiled, known = compile_file(str(path), format, choices)
    facts = {"name": name, "title": name, "labels": labels, "notices": notices}
    return Model(compiled, _card(compiled, facts, choices.preprocessing, known))


def _from_catalogue(name: str, on_progress: OnProgress | None) -> Model:
    """Return a catalogue model, kept open for the next call; the oldest of several is let go."""
    with _lock:
        if name not in _open:
            made = _bundled(name) if name in bundled_cards() else _application(name, on_progress)
            _open[name] = made
            while len(_open) > MOST_OPEN:
                _open.popitem(last=False)
        _open.move_to_end(name)
        _complete_names(_open[name], on_progress)
        return _open[name]


def _complete_names(model: Model, on_progress: OnProgress | None) -> None:
    """Fetch the class names that were out of reach when an ImageNet model was opened."""
    asked = _names_asked.get(model.name)
    if model.labels or asked is None or time.monotonic() - asked < NAMES_AGAIN_S:
        return
    from saliency_core.engine.applications import class_names

    model.card = replace(model.card, labels=class_names(on_progress))
    _names_asked[model.name] = time.monotonic()


def _bundled(name: str) -> Model:
    import hashlib

    from saliency_core.engine.freeze import Frozen
    from saliency_core.engine.opening import compile_frozen

    facts = bundled_cards()[name]
    graph = (BUNDLED / f"{name}.pb").read_bytes()
    if hashlib.sha256(graph).hexdigest() != facts["sha256"]:
        raise ModelError(f"The file of the model {name} is damaged.", "Install the lab again.")
    height, width, channels = facts["input"]
    frozen = Frozen(graph, facts["output"], (height, width, channels))
    compiled, known = compile_frozen(frozen, "frozen graph, shipped with the lab")
    return Model(
        compiled, _card(compiled, facts, facts["preprocessing"], known), how=facts.get("fit", "crop")
    )


def _application(name: str, on_progress: OnProgress | None) -> Model:
    from saliency_core.engine.applications import open_application
    from saliency_core.engine.opening import compile_keras

    keras_model, entry, labels = open_application(name, on_progress)
    _names_asked[name] = time.monotonic()
    ready = parse("preprocessing", entry.preprocessing)
    compiled, known = compile_keras(keras_model, Choices(ready.spelling), "Keras Applications")
    facts = {"name": name, "title": entry.title, "labels": labels, **entry.facts()}
    return Model(compiled, _card(compiled, facts, ready.spelling, known))


def _card(compiled: Any, facts: dict[str, Any], preprocessing: str, known: Description) -> Card:
    anatomy = compiled.anatomy
    kind = {"map": "no classes", "logits": "logits", "binary": "one sigmoid output"}
    head = f"{kind.get(anatomy.head.kind, anatomy.head.kind)}; logit: {anatomy.head.found}"
    return Card(
        name=facts["name"],
        title=facts.get("title", facts["name"]),
        about=facts.get("about", ""),
        input=compiled.frozen.shape,
        classes=anatomy.head.classes if anatomy.head.outputs else 0,
        head=head,
        preprocessing=preprocessing,
        parameters=facts.get("parameters", anatomy.parameters),
        operations=sum(anatomy.operations.values()),
        layers=len(anatomy.layers),
        digest=compiled.frozen.digest,
        labels=tuple(facts.get("labels", ())),
        measured=tuple(facts.get("measured", ())),
        notices=tuple(facts.get("notices", ())),
        licence=facts.get("licence", ""),
        source=facts.get("source", ""),
        norms_folded=compiled.norms_folded,
        description=known,
    )
