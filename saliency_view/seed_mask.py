"""Paint an output gradient on a feature map: every painted cell of a channel gets a weight."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import streamlit as st

from saliency_core.arrays import Array
from saliency_core.errors import TargetError
from saliency_core.models.anatomy import Head, Layer
from saliency_core.render.palettes import SEQUENTIAL, palette
from saliency_core.targets import OUTPUT, OutputSeed, Target
from saliency_view import channel_maps, state
from saliency_view.components.plane import LARGEST, Colours, mask
from saliency_view.controls import Options, choose
from saliency_view.layer_words import shape_words
from saliency_view.state import View

START = "mask-start"  # a layer that was just chosen, whose strongest cell is not known yet
FEW = 32  # cells that are spelled as rows; more are spelled as an array


class Known:
    """A model of which one layer's values are known: enough to turn a target into weights."""

    labels: Sequence[str] = ()
    head = Head("map", "", "", 0, "")

    def __init__(self, name: str, layer: Layer, values: Array) -> None:
        self.names, self.layer, self.values = (name, layer.name, layer.tensor), layer, values

    def find(self, name: str) -> Layer:
        """Return the layer under any of its names."""
        if name not in self.names:
            raise TargetError(f"Only {self.layer.name} is known here, not {name[:80]!r}.")
        return self.layer

    def clean(self, tensor: str) -> Array:
        """Return the layer's values."""
        return self.values


def seed_of(target: Target, layer: Layer, values: Array) -> Array:
    """Return the weight of every cell of a layer that a target asks for."""
    name = getattr(target, "layer", layer.name)
    return target.ask(Known(name, layer, values)).seeds[layer.tensor]  # type: ignore[arg-type]


def target_of(seed: Array, layer: str) -> OutputSeed:
    """Return a weighting as a target: a few rows where there are few cells, an array otherwise."""
    places = np.argwhere(seed)
    if len(places) > FEW:
        return OutputSeed(seed, layer)
    rows = [[*place, float(seed[tuple(place)])] for place in places.tolist()]
    return OutputSeed(rows or [[*[0] * seed.ndim, 0.0]], layer)


def parts_of(seed: Array, layer: str) -> list[tuple[float, Target]]:
    """Return a weighting in two parts, half of the cells each; a cell alone with the cell beside it."""
    places = np.argwhere(seed)
    if len(places) < 2:
        beside = np.roll(seed.reshape(-1), seed.shape[-1]).reshape(seed.shape)
        return [(2.0, target_of(seed, layer)), (-0.5, target_of(beside, layer))]
    first = np.array(seed)
    first[tuple(places[len(places) // 2 :].T)] = 0
    return [(1.0, target_of(first, layer)), (1.0, target_of(seed - first, layer))]


def mask_editor(view: View, name: str, layer: Layer, values: Array, seed: Array) -> None:
    """Draw one channel of a layer to paint on; what is painted becomes the view's target."""
    maps = channel_maps.as_maps(values)
    if maps is None or max(maps.shape[:2]) > LARGEST:
        st.info(f"{layer.name} is {shape_words(layer.shape)}: not a map that can be painted on here.")
        return
    weights = np.asarray(seed, np.float32).reshape(maps.shape)
    channel = _channel(layer, weights)
    one = maps[..., channel]
    painted = mask(
        key=f"mask-{view.model}-{layer.tensor}-{channel}",
        values=one,
        colours=Colours(float(np.abs(one).max()), SEQUENTIAL, palette("gray").lut),
        title=f"{layer.name}, channel {channel}: drag to paint weights",
        unit="activation, in gray. Painted: orange for a positive weight, blue for a negative one",
        weights=weights[..., channel],
    ).astype(np.float32)
    others = int(np.count_nonzero(weights) - np.count_nonzero(weights[..., channel]))
    if others:
        st.caption(f"{others} cell{'s' if others > 1 else ''} of other channels have a weight too.")
    if not np.array_equal(painted, weights[..., channel]):
        after = weights.copy()
        after[..., channel] = painted
        state.change(target=target_of(after.reshape(np.shape(seed)), name).spelling)
        st.rerun()


def started(name: str, values: Array) -> bool:
    """Let a layer that was just chosen start with its strongest cell; tell whether the view has changed."""
    maps = channel_maps.as_maps(values)
    if st.session_state.pop(START, None) != name or maps is None:
        return False
    row, col, channel = channel_maps.strongest(maps)
    place = [row, col, channel] if values.ndim == 3 else [row, channel]
    state.change(target=OutputSeed([[*place, 1.0]], name).spelling)
    return True


def layer_choice(layers: Sequence[Layer], chosen: str) -> None:
    """Draw the choice of the layer to paint on; another layer starts with its strongest cell."""
    shapes = {layer.name: layer.shape for layer in layers if layer.spatial}
    names = list(shapes) if chosen in shapes else [chosen, *shapes]

    def take(name: str) -> None:
        if name in shapes:
            state.change(target=_middle(name, shapes[name]).spelling)
            st.session_state[START] = name

    choose("Layer", "mask-layer", Options(names, lambda n: f"{n}  {shape_words(shapes.get(n, ()))}".strip()),
           chosen, take, help="The feature map that the weights belong to.")  # fmt: skip


def first_target(layers: Sequence[Layer]) -> OutputSeed:
    """Return a weighting to start painting from: the middle cell of the last feature map."""
    maps = [layer for layer in layers if layer.spatial]
    return _middle(maps[-1].name, maps[-1].shape) if maps else OutputSeed([[0, 1.0]], OUTPUT)


def _middle(name: str, shape: Sequence[int]) -> OutputSeed:
    return OutputSeed([[shape[0] // 2, shape[1] // 2, 0, 1.0]], name)


def _channel(layer: Layer, weights: Array) -> int:
    """Draw the number of the channel that is painted on, at first one that has a weight."""
    key = f"mask-channel-{layer.tensor}"
    used = np.flatnonzero(np.abs(weights).reshape(-1, layer.channels).sum(0))
    kept = int(st.session_state.get(key, used[0] if len(used) else 0))
    if layer.channels == 1:
        return 0
    st.session_state[key] = min(kept, layer.channels - 1)
    help = f"0 to {layer.channels - 1}. The layer browser shows what each one does."
    return int(st.number_input("Channel", 0, layer.channels - 1, key=key, help=help, width=160))
