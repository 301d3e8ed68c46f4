"""What the methods share that read a feature map: which layer, where its cells lie, and what to tell."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from saliency_core.arrays import Array, Points, Values
from saliency_core.cells import STRETCHED, Cells
from saliency_core.errors import TargetError
from saliency_core.methods.base import Method, Sketch
from saliency_core.models.anatomy import Layer
from saliency_core.probe import Probe, pieces
from saliency_core.spec import Text, param

AUTO = "auto"
AT_ONCE = 1 << 24  # activations that are held in float64
TOLD = 0.5  # pixels beside its place from which on a cell is told of
LAYER = Text(
    AUTO,
    title="Layer",
    help="Whose feature map is read; auto takes the last one before what is explained. A deeper layer "
    "tells more of the answer and less of the place.",
)


@dataclass(frozen=True)
class LayerMethod(Method):
    """A method that weighs the cells of one layer's feature map; its map is as coarse as that layer."""

    kind: ClassVar[str] = "region"
    group: ClassVar[str] = "Regions"

    layer: str = param(LAYER)

    def signed(self, activations: Array, gradients: Array) -> Array:
        """Return the map before its negative part is dropped, (B, h, w), from (B, h, w, channels) float64."""
        raise NotImplementedError

    @property
    def rectified(self) -> bool:
        """True where the method drops the negative part of its map."""
        return True

    def sketches(self, probe: Probe, points: Points, begun: Sketch | None = None) -> Iterator[Sketch]:
        signed = self._signed(probe, points)
        shown = np.maximum(signed, 0) if self.rectified else signed
        notes = self.notes(probe) + silence(signed[0], self.rectified)
        yield Sketch(shown.astype(np.float32), notes=notes)

    def attribute(self, probe: Probe, points: Points) -> Values:
        *_, last = self.sketches(probe, points)
        return last.values

    def _signed(self, probe: Probe, points: Points) -> Array:
        layer = chosen(probe, self.layer)
        at_once = len(points) if layer is None else max(2, AT_ONCE // math.prod(layer.shape))
        parts = []
        for first, last in pieces(len(points), at_once):
            activations, gradients = feature_map(probe, points[first:last], self.layer)
            parts.append(self.signed(activations.astype(np.float64), gradients.astype(np.float64)))
        return np.concatenate(parts)

    def notes(self, probe: Probe) -> tuple[str, ...]:
        return told(probe, self.layer)

    def cells_on(self, probe: Probe) -> Cells:
        return cells_of(probe, self.layer)


def chosen(probe: Probe, name: str) -> Layer | None:
    """Return the layer of that name; None for a tensor that is no layer. Raises TargetError for no map."""
    if name != AUTO:
        found = next((layer for layer in probe.layers if layer.name == name), None)
        if found is not None and not found.spatial:
            raise TargetError(
                f"The layer {name[:80]!r} has no rows and columns: its shape is {found.shape}.",
                "Choose a layer with a feature map, or layer='auto'.",
            )
        return found
    spatial = [layer for layer in probe.layers if layer.spatial]
    several = [layer for layer in spatial if layer.shape[0] * layer.shape[1] > 1]
    if not spatial:
        raise TargetError(
            "There is no feature map between the image and what is explained.",
            "Choose a later layer or the answer of the network, or a method that reads pixels.",
        )
    return (several or spatial)[-1]


def feature_map(probe: Probe, points: Points, name: str) -> tuple[Array, Array]:
    """Return a layer's activations and the score's gradient there, both (B, h, w, channels)."""
    layer = chosen(probe, name)
    activations, gradients = probe.at_layer(points, name if layer is None else layer.name)
    if activations.ndim != 4:
        raise TargetError(
            f"{name[:80]!r} has no rows and columns: its shape is {activations.shape[1:]}.",
            "Choose a layer with a feature map, or layer='auto'.",
        )
    return activations, gradients


def cells_of(probe: Probe, name: str) -> Cells:
    """Return where the cells of a layer lie on the image."""
    layer = chosen(probe, name)
    return STRETCHED if layer is None else Cells.of(layer, probe.shape)


def told(probe: Probe, name: str) -> tuple[str, ...]:
    """Return which layer is read, what a cell of it sees, and how that differs from stretching the map."""
    layer = chosen(probe, name)
    if layer is None:
        return ()
    high, wide, channels = layer.shape
    said = [
        f"Read from the layer {layer.name}: {high} x {wide} cells of {channels} channels; {_sees(layer)}."
    ]
    lies, seen = Cells.of(layer, probe.shape), Cells.seen(layer)
    away, aside = (cells.beside((high, wide), probe.shape[:2]) for cells in (lies, seen))
    if away > TOLD:
        said.append(
            f"Each cell is drawn in the middle of what it sees: up to {away:.3g} pixels from where it would "
            "lie if the map were stretched over the image from edge to edge."
        )
    elif aside > TOLD:
        said.append(
            "The cells divide the image evenly and are drawn so; the middle of all that a cell could see "
            f"lies up to {aside:.3g} pixels from there."
        )
    return (*said, *_unseen(layer, probe.shape))


def _unseen(layer: Layer, image: tuple[int, ...]) -> tuple[str, ...]:
    """Tell where a layer leaves out more of the image than a cell's step, as that of one of two images."""
    spans = (layer.field.rows, layer.field.cols)
    first, last = layer.field.box(0, 0, image), layer.field.box(layer.shape[0] - 1, layer.shape[1] - 1, image)
    ends = [(first[axis], last[axis + 2], image[axis]) for axis in (0, 1)]
    left_out = any(
        span is not None and max(start, extent - stop) > span.step
        for span, (start, stop, extent) in zip(spans, ends, strict=True)
    )
    if not left_out:
        return ()
    (top, bottom, _), (left, right, _) = ends
    return (
        f"The layer sees only rows {top} to {bottom - 1} and columns {left} to {right - 1} of the image; "
        "beyond them the map goes on as it ends there and says nothing.",
    )


def _sees(layer: Layer) -> str:
    rows, cols = layer.field.rows, layer.field.cols
    if rows is None or cols is None:
        return "a cell may depend on every pixel"
    return f"a cell sees {rows.size:g} x {cols.size:g} pixels, one every {rows.step:g} x {cols.step:g}"


def silence(signed: Array, rectified: bool) -> tuple[str, ...]:
    """Return why a map (h, w) is zero everywhere; nothing where it is not."""
    largest = float(signed.max())
    if not signed.any():
        return ("The map is zero everywhere: the score does not move with this layer.",)
    if rectified and largest <= 0:
        return (
            f"ReLU removed everything: the largest signed value was {largest:.3g}, the smallest "
            f"{float(signed.min()):.3g}. Nothing in this layer speaks for the score.",
        )
    return ()
