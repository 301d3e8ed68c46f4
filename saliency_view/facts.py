"""What is known of a model before any worker has opened it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

from saliency_core.errors import ModelError
from saliency_core.models.catalogue import CATALOGUE
from saliency_core.models.opening import Entry, bundled_cards, menu
from saliency_view import own_models

IMAGENET_CLASSES = 1000


@dataclass(frozen=True)
class Facts:
    """Input size, class names and title of a model in the menu."""

    name: str
    title: str
    input: tuple[int, int, int]
    classes: int
    labels: tuple[str, ...]
    fit: str
    line: str
    about: str
    bundled: bool
    several: bool = False  # image inputs, side by side on one canvas


@cache
def entries() -> dict[str, Entry]:
    """Return the model menu by name."""
    return {entry.name: entry for entry in menu()}


def facts(name: str) -> Facts:
    """Return the facts of a model in the menu or of this visit; raises ModelError for any other name."""
    return _brought(name) if own_models.is_own(name) else _listed(name)


def _brought(name: str) -> Facts:
    known = own_models.record(name)
    card = known["card"]
    if card is None:
        raise ModelError(f"{known['name']} is not open yet.", "Wait until it is, or choose another model.")
    height, width, channels = card["input"]
    line = f"{height} x {width} x {channels}; {card['description']['format']}"
    several = len(card["description"]["places"]) > 1
    return Facts(
        name, known["name"], (height, width, channels), card["classes"], tuple(card["labels"]), "crop",
        line, "", False, several,
    )  # fmt: skip


def suits(name: str) -> str:
    """Return the model in the menu whose pictures suit a model best."""
    grey = own_models.is_own(name) and facts(name).input[2] == 1
    return "digits" if grey else name


@cache
def _listed(name: str) -> Facts:
    if name not in entries():
        raise ModelError(f"There is no model {name[:60]!r}.", f"Choose one of: {', '.join(entries())}.")
    entry = entries()[name]
    if name in CATALOGUE:
        size = CATALOGUE[name].size
        shape, labels, fit, classes = (size, size, 3), (), "crop", IMAGENET_CLASSES
    else:
        card = bundled_cards()[name]
        shape, labels, fit = tuple(card["input"]), tuple(card["labels"]), card.get("fit", "crop")
        classes = len(labels)
    return Facts(
        name, entry.title, shape, classes, labels, fit, entry.facts, entry.about, name not in CATALOGUE
    )


def default_target(name: str) -> str:
    """Return what is explained first: the top class, or one output unit of a model without classes."""
    if facts(name).classes:
        return "top_class()"
    if own_models.is_own(name):
        return "layer_channel(layer='output', channel=0, how='max')"
    return "output_seed(weights=[[1, 1, 0, 1.0]], layer='output')"
