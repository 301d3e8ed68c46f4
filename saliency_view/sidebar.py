"""The question, asked in the sidebar: which model, which picture, which output, which method."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import streamlit as st

from saliency_core.baselines import gallery_names, on_picture, pictures_in
from saliency_core.errors import SaliencyError
from saliency_core.gallery import for_model
from saliency_core.grammar import parse
from saliency_core.images import HOWS
from saliency_core.images.limits import LIMIT_BYTES
from saliency_core.methods.base import Method
from saliency_core.regions import AUTO
from saliency_core.registry import Registered, table
from saliency_core.spec import REQUIRED, Part, specs
from saliency_core.targets import (
    OUTPUT,
    Combined,
    LayerChannel,
    LayerUnit,
    OutputSeed,
    Target,
    class_name,
)
from saliency_view import own_models, pictures, state
from saliency_view.components.gallery import Shot, gallery
from saliency_view.controls import Options, by_group, choose, settings
from saliency_view.facts import Facts, entries, facts, suits
from saliency_view.own_panel import own_model_box
from saliency_view.panels import shortened
from saliency_view.sitemap import PAGES
from saliency_view.state import OWN, View
from saliency_view.text import plain

Layers = Sequence[Mapping[str, Any]]
ACCEPTED = ("png", "jpg", "jpeg", "webp", "avif", "bmp", "tif", "tiff", "gif")
FIT_TITLES = {"crop": "Crop to the centre", "stretch": "Stretch to fit", "pad": "Show all, extend the edges"}
THUMBNAIL = 96


def sidebar(
    view: View, labels: Sequence[str], layers: Layers, *, target: bool = True, method: bool = True
) -> None:
    """Draw the four questions; an answer changes the view and draws the page anew.

    A page that asks in its own way what to explain leaves the `target` out, and one that compares methods
    the `method`.
    """
    known = facts(view.model)
    with st.sidebar:
        _model(view, known)
        _image(view, known)
        if target:
            _target(view, known, labels or known.labels, layers)
        if method:
            _method(view, layers)


def _model(view: View, known: Facts) -> None:
    st.subheader("Model")
    lines = {name: _menu_line(name) for name in (*own_models.opened()[::-1], *entries())}
    names = Options(list(lines), lines.__getitem__)
    choose("Model", "model", names, view.model, lambda name: _change(model=name), bare=True)
    st.caption(plain(known.line))
    own_model_box(view)


def _menu_line(name: str) -> str:
    if own_models.is_own(name):
        return f"{facts(name).title} (your own)"
    entry = entries()[name]
    return f"{entry.title} ({entry.megabytes:.0f} MB download)" if entry.megabytes else entry.title


def _image(view: View, known: Facts) -> None:
    st.subheader("Image")
    source = st.segmented_control(
        "Source", ("Gallery", "Upload", "Camera"), default="Gallery", required=True,
        key="source", label_visibility="collapsed", width="stretch",
    )  # fmt: skip
    if source == "Gallery":
        shots = [Shot(s.id, s.title, pictures.small(s.id, THUMBNAIL)) for s in for_model(suits(view.model))]
        picked = gallery(key="gallery", shots=shots, selected=view.image, title="Gallery")
        if picked is not None and picked != view.image:
            state.change(image=picked)
            st.rerun()
    elif source == "Upload":
        st.file_uploader("Your picture", type=ACCEPTED, key="upload", on_change=_take, args=("upload",),
                         max_upload_size=LIMIT_BYTES >> 20)  # fmt: skip
        st.caption("It stays in memory for this session and is never written to disk.")
    else:
        st.camera_input("Take a picture", key="camera", on_change=_take, args=("camera",))
    for problem in state.problems("picture"):
        st.error(plain(problem))
    fits = Options(HOWS, FIT_TITLES.__getitem__)
    height, width, _ = known.input
    title = f"Fit to {width} x {height} px"
    choose(
        title,
        "fit",
        fits,
        view.fit,
        lambda how: state.change(fit=how),
        help="What happens to a picture of another size than the model takes.",
    )


def _take(key: str) -> None:
    """Read an upload or a camera shot; what is wrong with it is told, and the old picture stays."""
    given = st.session_state[key]
    if given is None:
        return
    try:
        pictures.take(given.getvalue(), given.name)
        state.change(image=OWN)
    except SaliencyError as problem:
        kept = pictures.picture(state.current()).name
        state.tell("picture", [f"{problem} Shown is still {kept}."])


def _target(view: View, known: Facts, labels: Sequence[str], layers: Layers) -> None:
    st.subheader("What to explain")
    target = parse("target", view.target)
    offered = {
        id: cls
        for id, cls in table("target").items()
        if not cls.hidden and _fits(id, bool(known.classes), bool(layers))
    }
    offered.setdefault(target.id, type(target))  # a link may hold what is not offered
    kinds = Options(list(offered), lambda id: offered[id].title)
    choose("Target", "target-kind", kinds, target.id, lambda id: _switch(id, known, layers), bare=True)
    if isinstance(target, Combined | OutputSeed):
        st.caption(plain(shortened(view.target)))
        _elsewhere("Edit this weighting", "output-gradient", "tune")
        return
    if isinstance(target, LayerUnit | LayerChannel):
        _elsewhere("Choose it in the layer browser", "units", "grid_view")
    current = {name: getattr(target, name) for name in specs(target)}
    options = _options(target, known.classes, labels, layers)
    settings("target", type(target), current, lambda n, v: _set(target, n, v, layers), options,
             _limits(current.get("layer"), layers))  # fmt: skip


def _elsewhere(label: str, url_path: str, icon: str) -> None:
    """Draw a button that leads to a page made for this question; the view goes along."""
    if st.button(label, key=f"to-{url_path}", icon=f":material/{icon}:", width="stretch"):
        st.switch_page(next(place.file for place in PAGES if place.url_path == url_path))


def _fits(id: str, classes: bool, layers: bool) -> bool:
    """Tell whether a kind of target can be asked of this model now."""
    names = specs(table("target")[id])
    return layers or id == "output_seed" if "layer" in names else classes


def _options(target: Target, classes: int, labels: Sequence[str], layers: Layers) -> dict[str, Options]:
    numbers = Options(range(classes), lambda k: f"{class_name(labels, k)} ({k})" if labels else f"class {k}")
    found = dict.fromkeys(("index", "this", "that"), numbers)
    found["layer"] = _layer_options(layers, _layers_named(target))
    return found


def _layer_options(layers: Layers, named: Sequence[str]) -> Options:
    """Return the layers with their shapes; `named` is in the question, perhaps before a model is open."""
    shapes = {row["name"]: " x ".join(str(n) for n in row["shape"]) for row in layers}
    shapes = {**{name: "" for name in named if name not in shapes}, **shapes}
    return Options(list(shapes), lambda name: f"{name}  {shapes[name]}")


def _layers_named(part: Registered) -> list[str]:
    """Return the layers that a target or method names, and those that its parts name."""
    parts = (getattr(part, name) for name, spec in specs(part).items() if isinstance(spec, Part))
    own = [part.layer] if hasattr(part, "layer") else []
    return [*own, *(name for one in parts for name in _layers_named(one))]


def _limits(layer: str | None, layers: Layers) -> dict[str, int]:
    """Return the largest row, column and channel of a layer."""
    shape = next((row["shape"] for row in layers if row["name"] == layer), None)
    if not shape:
        return {}
    full = [1, 1, *shape] if len(shape) == 1 else shape
    return dict(zip(("row", "col", "channel"), (extent - 1 for extent in full), strict=True))


def _switch(id: str, known: Facts, layers: Layers) -> None:
    """Change the kind of target, starting from something sensible for this model."""
    cls = table("target")[id]
    spatial = [row["name"] for row in layers if len(row["shape"]) == 3] or [OUTPUT]
    first = {
        "index": 0,
        "this": 0,
        "that": min(1, known.classes - 1),
        "layer": spatial[-1],
        "weights": [[0, 0, 0, 1.0]],
    }
    given = {name: first[name] for name, spec in specs(cls).items() if spec.default is REQUIRED}
    predicted = st.session_state.get("top_classes", [])
    if "index" in given and predicted:
        given["index"] = predicted[0]
    if "that" in given and len(predicted) > 1:
        given["this"], given["that"] = predicted[:2]
    _change(target=cls(**given).spelling)


def _set(target: Target, name: str, value: Any, layers: Layers) -> None:
    """Change one setting of the target; a smaller layer pulls row, column and channel in."""
    changed = replace(target, **{name: value})
    if name == "layer":
        limits = _limits(value, layers)
        pulled = {k: min(getattr(changed, k), high) for k, high in limits.items() if hasattr(changed, k)}
        changed = replace(changed, **pulled)
    _change(target=changed.spelling)


def _method(view: View, layers: Layers) -> None:
    st.subheader("Method")
    method = parse("method", view.method)
    offered = by_group("method")
    lines = {id: f"{cls.title} · {cls.group.lower()}" for id, cls in offered.items()}  # type: ignore[attr-defined]
    choose("Method", "method", Options(list(offered), lines.__getitem__), method.id,
           lambda id: _change(method=offered[id]().spelling), bare=True)  # fmt: skip
    st.caption(plain(method.summary()))
    current = {name: getattr(method, name) for name in specs(method)}
    maps = [row for row in layers if len(row["shape"]) == 3]
    named = pictures_in(method)
    options = {
        "layer": _layer_options(maps, [AUTO, *_layers_named(method)]),
        "name": Options([*dict.fromkeys([*pictures.beside(), *named, *gallery_names()])], pictures.title_of),
    }
    settings("method", type(method), current, partial(_amend, type(method)), options)
    if named:
        st.file_uploader("Another picture of your own", type=ACCEPTED, key="beside", on_change=_take_beside)


def _amend(cls: type[Method], name: str, value: Any) -> None:
    """Change a setting of the method as it is by now; what was drawn for another method comes too late."""
    now = parse("method", state.current().method)
    if type(now) is cls:
        _change(method=replace(now, **{name: value}).spelling)


def _take_beside() -> None:
    """Keep a picture that a method starts from, and let the method speak of it."""
    given = st.session_state["beside"]
    if given is None:
        return
    try:
        digest = pictures.take_beside(given.getvalue(), given.name)
        method = parse("method", state.current().method)
        state.change(method=on_picture(method, digest).spelling)
    except SaliencyError as problem:
        state.tell("picture", [str(problem)])


def _change(**words: Any) -> None:
    try:
        state.change(**words)
    except SaliencyError as problem:
        state.tell("address", [str(problem)])
