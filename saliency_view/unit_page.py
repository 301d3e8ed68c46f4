"""Layers and units: choose a layer, a channel and a cell, and see the pixels that it depends on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import streamlit as st

from saliency_core.grammar import parse
from saliency_core.images import Image
from saliency_core.models.anatomy import Layer
from saliency_core.targets import OUTPUT, LayerChannel, LayerUnit, OutputSeed
from saliency_core.workers.jobs import Job
from saliency_view import answer, channel_maps, compute, panels, pictures, state
from saliency_view.components.layers import Row, layer_list
from saliency_view.components.plane import LARGEST, plane
from saliency_view.components.tiles import tiles
from saliency_view.explaining import image_params, params_of
from saliency_view.facts import facts
from saliency_view.layer_words import (
    default_layer,
    field_words,
    offset_words,
    shape_words,
    shares_seen,
    step_words,
    unit_words,
)
from saliency_view.neurons import neurons
from saliency_view.sidebar import sidebar
from saliency_view.sitemap import PAGES
from saliency_view.state import View
from saliency_view.text import counted, plain

WANTED = "unit-layer"  # a layer that was chosen before its values are known, with its model
INTRO = (
    "Every step of the network, from the pixels to the answer. Choose a layer, a channel and a cell: the map "
    "shows which pixels this one unit depends on, and the frame what it could see."
)


@dataclass(frozen=True)
class Opened:
    """What is known of the model once a worker has opened it."""

    layers: list[Layer]
    labels: list[str]


def draw() -> None:
    """Draw the page for the session's view."""
    view = state.current()
    picture = pictures.seen(view)
    opened = opened_model(view, "Layers and units")
    if opened is None:
        return
    st.caption(INTRO)
    layer = _layer_name(view, opened.layers)
    left, right = st.columns([6, 5], gap="medium")
    with left:
        _choose_layer(view, opened.layers, layer)
    found = values_of(view, picture, layer)
    with right:
        if found is None:
            return
        unit = _unit(view, *found, opened.labels)
    if unit is not None:
        _explained(view, picture, unit)


def opened_model(view: View, title: str) -> Opened | None:
    """Draw sidebar and title, and return the opened model; without one say how far it is."""
    job = compute.ask("open", "open", {"model": view.model})
    told: Any = job.result.message if job.result else {"card": {"labels": []}, "layers": []}
    sidebar(view, told["card"]["labels"], told["layers"], target=False)
    for wrong in state.problems("address"):
        st.warning(plain(wrong))
    st.title(title)
    if job.state == "done":
        return Opened([Layer.from_json(row) for row in told["layers"]], told["card"]["labels"])
    if job.ended:
        panels.failure(job)
    else:
        compute.follow(job, f"Opening {facts(view.model).title}")
    return None


def values_of(view: View, picture: Image, layer: str) -> tuple[Layer, np.ndarray] | None:
    """Return a layer and its values on the image; without them say how far they are."""
    params = {"model": view.model, "layer": layer, "fit": view.fit, **image_params(view, picture)}
    job = compute.ask("units", "activation", params, {"image": picture.pixels})
    if job.state == "done" and job.result is not None:
        return Layer.from_json(job.result.message["layer"]), job.result.arrays["values"]
    if job.ended:
        panels.failure(job)
    else:
        compute.follow(job, f"Reading {layer}")
    return None


def _layer_name(view: View, layers: list[Layer]) -> str:
    """Return the layer on show: the one just chosen, the one that is explained, or one to start with."""
    model, wanted = st.session_state.get(WANTED, ("", ""))
    if model == view.model:
        return str(wanted)
    st.session_state.pop(WANTED, None)
    target = parse("target", view.target)
    asked = getattr(target, "layer", None)
    return asked or default_layer(layers, facts(view.model).input)


def _choose_layer(view: View, layers: list[Layer], chosen: str) -> None:
    rows = [_row(one, facts(view.model).input) for one in layers]
    picked = layer_list(
        key=f"layers-{view.model}",
        rows=rows,
        selected=_listed(chosen, layers),
        title=counted(len(rows), "layers"),
    )
    if picked is not None and picked != chosen:
        st.session_state[WANTED] = (view.model, picked)
        st.rerun()


def _row(layer: Layer, size: tuple[int, int, int]) -> Row:
    tall, wide = shares_seen(layer.field, size)
    field, detail = field_words(layer.field), offset_words(layer.field)
    return Row(layer.name, step_words(layer), shape_words(layer.shape), field, detail, tall, wide)


def _listed(name: str, layers: list[Layer]) -> str:
    """Return the name in the list for what a target calls the network's output."""
    known = {layer.name for layer in layers}
    return layers[-1].name if name == OUTPUT and OUTPUT not in known else name


def _unit(view: View, layer: Layer, values: np.ndarray, labels: list[str]) -> LayerUnit | None:
    """Draw the layer's channels or neurons and return the unit that is chosen."""
    maps = channel_maps.as_maps(values)
    unit = _asked(view, layer, values)
    if st.session_state.pop(WANTED, None) is not None:
        state.change(target=unit.spelling)
    if maps is None:
        picked = neurons(view, layer, values, unit, labels)
        return _picked(unit, LayerUnit(unit.layer, 0, 0, picked))
    if max(maps.shape[:2]) > LARGEST:
        st.info(f"This map is {shape_words(layer.shape)}: too large to show its channels here.")
        return unit
    picked = _tiles(view, layer, maps, unit.channel)
    channel = unit.channel if picked is None else picked
    row, col, _ = channel_maps.strongest(maps, channel)
    return _picked(unit, unit if picked in (None, unit.channel) else LayerUnit(unit.layer, row, col, channel))


def _tiles(view: View, layer: Layer, maps: np.ndarray, chosen: int) -> int | None:
    """Draw the channels as small pictures and return the one that was pressed."""
    key = ("tiles", view.model, layer.tensor, view.fit, pictures.picture(view).digest)
    made = pictures.remember(key, lambda: channel_maps.thumbnails(maps))
    note = (
        "" if made.side == 1 else f"; each pixel of a picture is the mean of {made.side} x {made.side} cells"
    )
    return tiles(
        key=f"tiles-{view.model}-{layer.tensor}",
        levels=made.levels,
        peaks=made.peaks,
        colours=made.colours,
        selected=chosen,
        title=f"{layer.name}: {counted(maps.shape[2], 'channels')} of {maps.shape[0]} x {maps.shape[1]}",
        unit=f"activation, one scale for all; {channel_maps.CLIP:g} % of the values lie within it{note}",
    )


def _asked(view: View, layer: Layer, values: np.ndarray) -> LayerUnit:
    """Return the unit that the view asks for in this layer, or the strongest one there."""
    target = parse("target", view.target)
    name = getattr(target, "layer", layer.name)
    maps = channel_maps.as_maps(values)
    whole = values[None, None, :] if maps is None else maps
    channel = None
    if WANTED not in st.session_state and isinstance(target, LayerUnit | LayerChannel):
        inside = target.channel < whole.shape[2]
        placed = isinstance(target, LayerUnit) and target.row < whole.shape[0] and target.col < whole.shape[1]
        if inside and placed:
            return target
        channel = target.channel if inside else None
    own = isinstance(target, LayerUnit | LayerChannel | OutputSeed) and WANTED not in st.session_state
    return LayerUnit(name if own else layer.name, *channel_maps.strongest(whole, channel))


def _picked(before: LayerUnit, after: LayerUnit) -> LayerUnit:
    """Take a newly chosen unit into the view."""
    if after != before:
        state.change(target=after.spelling)
        st.rerun()
    return after


def _explained(view: View, picture: Image, unit: LayerUnit) -> None:
    """Draw the cells of the unit's channel, and the gradient of the unit over the image."""
    view = state.current()
    params = params_of(view, picture, unit.spelling)
    job = answer.ask(params, picture.pixels)
    found = values_of(view, picture, unit.layer)
    if found is None:
        return
    layer, values = found
    maps = channel_maps.as_maps(values)
    box = layer.field.box(unit.row, unit.col, facts(view.model).input)
    if maps is None:
        _map(view, job, unit, layer, float(values[unit.channel]), box)
        return
    left, right = st.columns([3, 7], gap="medium")
    with left:
        one = maps[..., unit.channel]
        row, col = plane(
            key=f"plane-{view.model}-{layer.tensor}-{unit.channel}",
            values=one,
            colours=channel_maps.colours_of(one, among=maps),
            title=f"Channel {unit.channel}: press a cell",
            unit="activation; the scale is this channel's own",
            cell=(unit.row, unit.col),
        )
        unit = _picked(unit, LayerUnit(unit.layer, row, col, unit.channel))
    with right:
        _map(view, job, unit, layer, float(one[unit.row, unit.col]), box)


def _map(
    view: View, job: Job, unit: LayerUnit, layer: Layer, value: float, box: tuple[int, int, int, int]
) -> None:
    """Draw the finished map with what it says, or how far it is with the last one dimmed behind."""
    made = answer.known(job)
    if made is None:
        answer.wait(job, view, "unit-map", f"Explaining {unit.layer}")
        return
    frame = None if box == (0, 0, *made.point.shape[:2]) else box  # nothing to tell from the rest
    st.markdown(unit_words(unit, layer, value, made, box))
    answer.draw(job, view, "unit-map", frame)
    _to_explain(unit)


def _to_explain(unit: LayerUnit) -> None:
    if st.button("Explain this unit", key="to-explain", icon=":material/visibility:", type="primary"):
        state.change(target=unit.spelling)
        st.switch_page(next(place.file for place in PAGES if place.default))
