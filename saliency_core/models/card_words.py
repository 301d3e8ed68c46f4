"""A model card as lines for people: the same on the command line and in the browser."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from saliency_core.models.description import Port
from saliency_core.models.model import Card

MOST = 8  # entries of a list that a line has room for


def lines(card: Card) -> list[tuple[str, str]]:
    """Return what is known of a model, as pairs of a title and a text; what is not known is left out."""
    known = card.description
    height, width, channels = card.input
    found = [
        ("Format", known.format),
        ("Input", f"{height} x {width} x {channels}, raw pixels 0 to 255"),
        ("Image inputs", _several([place.name for place in known.places])),
        ("Held fixed", _several([f"{name} = {_short(value)}" for name, value in known.held.items()])),
        ("Inputs of the file", _several([_port(one) for one in known.inputs])),
        ("Outputs of the file", _several([_port(one) for one in known.outputs])),
        ("Explained output", known.output),
        ("Signature", known.signature),
        ("Head", card.head),
        ("Classes", _classes(card)),
        ("Preprocessing", card.preprocessing),
        ("Inside the graph", known.preprocessing_inside),
        ("Images at once", str(known.batch) if known.batch else ""),
        ("Parameters", f"{card.parameters:,}"),
        ("Operations", f"{card.operations:,} in {card.layers} layers"),
        ("Activations", _several([f"{count} {name}" for name, count in known.activations.items()])),
        ("In training mode", _several(known.training)),
        ("Own gradient rules", _several(known.custom_gradients)),
        ("Note", " ".join(card.notices)),
        ("SHA-256", card.digest),
    ]
    return [(title, text) for title, text in found if text]


def _classes(card: Card) -> str:
    if not card.classes:
        return "none"
    named = f", {len(card.labels)} names" if card.labels else ", without names"
    return f"{card.classes}{named}"


def _port(port: Port) -> str:
    if port.shape is None:
        return port.name
    return f"{port.name} ({' x '.join('any' if n is None else str(n) for n in port.shape)}, {port.dtype})"


def _several(texts: Sequence[str]) -> str:
    shown = ", ".join(texts[:MOST])
    return f"{shown} and {len(texts) - MOST} more" if len(texts) > MOST else shown


def _short(value: Any) -> str:
    text = str(value)
    return text if len(text) <= 40 else f"{text[:39]}…"
