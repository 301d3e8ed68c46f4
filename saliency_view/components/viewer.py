"""Show a picture with a saliency map over it: look, compare, zoom, read numbers, select a pixel."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from numbers import Real
from typing import Any, Literal, NamedTuple

import numpy as np
import streamlit as st

from saliency_view.components.assets import joined
from saliency_view.components.payload import pack
from saliency_view.components.settle import settle

Family = Literal["sequential", "diverging"]
Pixel = tuple[int, int]
Box = tuple[int, int, int, int]
BACKDROPS = ("grey", "colour")
ENTRIES = {"sequential": 256, "diverging": 257}

_viewer = st.components.v2.component(
    "saliency_viewer",
    css=joined("shared.css", "viewer.css"),
    js=joined(
        "shared.js",
        "colour.js",
        "view.js",
        "viewer_parts.js",
        "viewer_paint.js",
        "viewer_events.js",
        "viewer.js",
    )
    + "\nexport default keepOnePerRoot(Viewer);\n",
)


class Palette(NamedTuple):
    """A palette the viewer offers: id, title, family and colours, uint8 (256, 3) or, diverging, (257, 3)."""

    id: str
    title: str
    family: Family
    lut: np.ndarray


@dataclass(frozen=True)
class ViewerState:
    """What the visitor has chosen in the viewer; `pixel` is (row, column) of the photo or None."""

    pixel: Pixel | None
    palette: str
    opacity: float
    threshold: float
    backdrop: str


def viewer(
    *,
    key: str,
    photo: np.ndarray,
    values: np.ndarray,
    channels: np.ndarray | None,
    limit: float,
    family: Family,
    palettes: Sequence[tuple[str, str, Family, np.ndarray]],
    palette: str,
    opacity: float,
    threshold: float,
    backdrop: str,
    units: str,
    title: str,
    note: str | None = None,
    selected: Pixel | None = None,
    busy: bool = False,
    quantity: str = "Gradient",
    negated: bool = False,
    ends: tuple[str, str] = ("", ""),
    beyond: str = "",
    box: Box | None = None,
    faint: np.ndarray | None = None,
) -> ViewerState:
    """Mount the viewer and return what the visitor has chosen.

    photo: uint8 (H, W), (H, W, 1) or (H, W, 3). values: float32 (h, w), the reduced signed map, drawn to
    cover the photo. channels: float32 (H, W, C) for the readout. limit: the value at the palette's end, in
    `units`. opacity and threshold: shares in 0..1; values below `threshold * limit` are not drawn.
    `backdrop` is "grey" or "colour": how the photo looks under the map.
    `quantity` names the values in the readout; `negated` says that they are sizes of negative numbers and
    get their minus back in words. `ends` says what the two ends of the scale mean, `beyond` what does not fit
    on it. `busy` dims the picture while the next one is computed. `box` is drawn as a frame: top, left,
    bottom and right in pixels of the photo, the last two not included. `faint`, bool (h, w), is not drawn
    and read as not to be told from noise.

    palette, opacity, threshold, backdrop and selected are where the page wants the controls; the visitor
    moves them from there without the server, and the page overrules the visitor by asking for something
    new.
    Raises ValueError for shapes, types and settings that cannot be drawn.
    """
    choices = [Palette(*choice) for choice in palettes]
    offered = [choice for choice in choices if choice.family == family]
    photo = _checked_photo(photo)
    arrays = _checked_maps(photo, values, channels)
    if faint is not None:
        arrays["faint"] = _checked_mask(faint, values)
    arrays |= {f"lut_{place}": _checked_lut(choice) for place, choice in enumerate(offered)}
    given = {
        "palette": palette,
        "opacity": float(opacity),
        "threshold": float(threshold),
        "backdrop": backdrop,
        "pixel": _plain(selected),
    }
    legal = _legal(photo.shape[:2], [choice.id for choice in offered])
    for name, value in given.items():
        if not legal(name, value):
            raise ValueError(f"The viewer cannot use {name}={value!r} with {family} palettes and this photo.")
    if not (np.isfinite(limit) and limit >= 0):
        raise ValueError(f"The viewer's limit must be finite and not negative, not {limit!r}.")
    chosen, revision = settle(key, given, st.session_state.get(key) or {}, legal)
    header = {
        "key": key,
        "revision": revision,
        "look": {name: chosen[name] for name in ("palette", "opacity", "threshold", "backdrop")},
        "pixel": chosen["pixel"],
        "limit": float(limit),
        "family": family,
        "palettes": [{"id": choice.id, "title": choice.title} for choice in offered],
        "digest": _digest(arrays),
        "photo_digest": _digest({"photo": photo}),
        "units": units,
        "title": title,
        "note": note,
        "quantity": quantity,
        "negated": bool(negated),
        "ends": list(ends),
        "beyond": beyond,
        "busy": bool(busy),
        "box": _checked_box(box, photo.shape),
    }
    _viewer(
        key=key,
        data=pack(header, {} if _is_shown(key, header["digest"], busy) else arrays),
        on_palette_change=_nothing,
        on_opacity_change=_nothing,
        on_threshold_change=_nothing,
        on_backdrop_change=_nothing,
        on_pixel_change=_nothing,
    )
    pixel = chosen.pop("pixel")
    return ViewerState(pixel=tuple(pixel) if pixel else None, **chosen)


def _nothing() -> None:
    """Stand in for a callback: naming the state makes it part of the component's result."""


def _digest(arrays: dict[str, np.ndarray]) -> str:
    taken = blake2b(digest_size=12)
    for name, array in arrays.items():
        taken.update(f"{name}{array.shape}".encode())
        taken.update(np.ascontiguousarray(array).data)
    return taken.hexdigest()


def _is_shown(key: str, digest: str, busy: bool) -> bool:
    """Say whether the browser holds these arrays, so that a wait need not send them again.

    Believed only while busy: the message that ends the wait carries everything, whatever got lost.
    """
    known = st.session_state.get(f"{key}:shown") == digest
    st.session_state[f"{key}:shown"] = digest
    return busy and known


def _checked_box(box: Box | None, shape: tuple[int, ...]) -> list[int] | None:
    if box is None:
        return None
    top, left, bottom, right = (int(place) for place in box)
    if not (0 <= top <= bottom <= shape[0] and 0 <= left <= right <= shape[1]):
        raise ValueError(f"A box lies within the photo {shape[:2]}, not {tuple(box)}.")
    return [top, left, bottom, right]


def _plain(pixel: Pixel | None) -> list[int] | None:
    return None if pixel is None else [int(place) for place in pixel]


def _checked_photo(photo: np.ndarray) -> np.ndarray:
    if photo.ndim == 2:
        photo = photo[:, :, None]
    if photo.dtype != np.uint8 or photo.ndim != 3 or photo.shape[2] not in (1, 3) or not photo.size:
        raise ValueError(f"A photo is uint8 (H, W), (H, W, 1) or (H, W, 3), not {photo.dtype} {photo.shape}.")
    return photo


def _checked_maps(
    photo: np.ndarray, values: np.ndarray, channels: np.ndarray | None
) -> dict[str, np.ndarray]:
    if values.dtype != np.float32 or values.ndim != 2 or not values.size:
        raise ValueError(f"Values are float32 (h, w), not {values.dtype} {values.shape}.")
    arrays = {"photo": photo, "values": values}
    if channels is not None:
        if channels.dtype != np.float32 or channels.ndim != 3 or channels.shape[:2] != photo.shape[:2]:
            raise ValueError(
                f"Channels are float32 {(*photo.shape[:2], 'C')}, not {channels.dtype} {channels.shape}."
            )
        arrays["channels"] = channels
    for name in ("values", "channels"):
        if name in arrays and not np.isfinite(arrays[name]).all():
            raise ValueError(f"The viewer's {name} must be finite.")
    return arrays


def _checked_mask(faint: np.ndarray, values: np.ndarray) -> np.ndarray:
    if faint.dtype != np.bool_ or faint.shape != values.shape:
        raise ValueError(f"What is faint is bool {values.shape}, not {faint.dtype} {faint.shape}.")
    return faint.astype(np.uint8)


def _checked_lut(choice: Palette) -> np.ndarray:
    if choice.lut.dtype != np.uint8 or choice.lut.shape != (ENTRIES[choice.family], 3):
        raise ValueError(
            f"Palette {choice.id!r} is {choice.family} and needs a uint8 table of "
            f"{ENTRIES[choice.family]} colours, not {choice.lut.dtype} {choice.lut.shape}."
        )
    return choice.lut


def _legal(shape: tuple[int, ...], palettes: Sequence[str]) -> Callable[[str, Any], bool]:
    """Return the test that a setting, from the page or from the browser, must pass."""

    def legal(name: str, value: Any) -> bool:
        if name == "palette":
            return value in palettes
        if name == "backdrop":
            return value in BACKDROPS
        if name == "pixel":
            return value is None or _inside(value, shape)
        return isinstance(value, Real) and not isinstance(value, bool) and 0 <= value <= 1

    return legal


def _inside(pixel: Any, shape: tuple[int, ...]) -> bool:
    if not isinstance(pixel, list) or len(pixel) != 2:
        return False
    return all(type(place) is int and 0 <= place < end for place, end in zip(pixel, shape, strict=True))
