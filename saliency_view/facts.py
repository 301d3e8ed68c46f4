"""What is known of a model before any worker has opened it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

from saliency_core.errors import ModelError
from saliency_core.models.catalogue import CATALOGUE
from saliency_core.models.opening import Entry, bundled_cards, menu

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


@cache
def entries() -> dict[str, Entry]:
    """Return the model menu by name."""
    return {entry.name: entry for entry in menu()}


@cache
def facts(name: str) -> Facts:
    """Return the facts of a model in the menu; raises ModelError for any other name."""
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
    return "output_seed(weights=[[1, 1, 0, 1.0]], layer='output')"
