"""The picture on the page: from the gallery or the visitor's own; read once, kept within bounds."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from dataclasses import replace
from typing import TypeVar

import numpy as np
import streamlit as st

from saliency_core.gallery import gallery, sample
from saliency_core.images import Image, fit, read_image, thumbnail
from saliency_view.facts import facts
from saliency_view.state import OWN, OWN_KEY, View

T = TypeVar("T")
MOST_KEPT = 64
_kept: OrderedDict[Hashable, object] = OrderedDict()
_lock = threading.Lock()


def picture(view: View) -> Image:
    """Return the view's picture as decoded; raises ImageError that says what is wrong with it."""
    if view.image == OWN and OWN_KEY in st.session_state:
        pixels, name, digest, form, notices = st.session_state[OWN_KEY]
        return Image(pixels, name, digest, form, tuple(notices))
    found = sample(view.image)
    return remember(("sample", view.image), lambda: read_image(found.read(), name=found.title))


def seen(view: View) -> Image:
    """Return the picture at the size the model sees, with the original's name and digest."""
    whole = picture(view)
    if facts(view.model).several:
        return whole  # each input fits it to its own size
    height, width, _ = facts(view.model).input
    key = ("seen", whole.digest, height, width, view.fit)  # no name: others may call the same file otherwise
    return replace(whole, pixels=remember(key, lambda: _fitted(whole, height, width, view.fit)))


def take(data: bytes, name: str) -> None:
    """Make the bytes of a visitor the picture of this session; raises ImageError and keeps the old one."""
    image = read_image(data, name=name)
    kept = _shrunk(image)
    notices = [f"{DECODED}{image.facts}", *image.notices]
    if kept is not image.pixels:
        notices.append(f"kept at {kept.shape[1]}x{kept.shape[0]} px")
    st.session_state[OWN_KEY] = (kept, image.name, image.digest, image.format, notices)


def take_beside(data: bytes, name: str) -> str:
    """Keep the bytes of a visitor as a picture that a method may start from; returns its digest."""
    image = read_image(data, name=name)
    kept = st.session_state.setdefault(BESIDE, {})
    kept[image.digest] = (_shrunk(image), image.name)
    for old in list(kept)[:-MOST_BESIDE]:
        del kept[old]
    return image.digest


def beside() -> dict[str, np.ndarray]:
    """Return the pixels of the pictures that the visitor has given as starting points, by digest."""
    return {digest: pixels for digest, (pixels, _) in st.session_state.get(BESIDE, {}).items()}


def title_of(name: str) -> str:
    """Return the title of a picture that a method speaks of, by its name in the gallery or its digest."""
    if name in st.session_state.get(BESIDE, {}):
        return f"{st.session_state[BESIDE][name][1]} (your own)"
    return next((one.title for one in gallery() if one.id == name), name[:12])


def facts_of(view: View) -> str:
    """Return name, digest, size as decoded and mean of the view's picture, as plain text."""
    image = picture(view)
    return f"{image.name}, SHA-256 {image.digest[:12]}, {decoded(view)}"


def decoded(view: View) -> str:
    """Return size and mean of the view's picture as it was decoded, however it is kept."""
    image = picture(view)
    found = [notice.removeprefix(DECODED) for notice in image.notices if notice.startswith(DECODED)]
    return found[0] if found else image.facts


def notices_of(view: View) -> list[str]:
    """Return what was done to the picture on the way in."""
    return [notice for notice in picture(view).notices if not notice.startswith(DECODED)]


def small(id: str, side: int) -> bytes:
    """Return a gallery picture's thumbnail as PNG bytes."""
    return remember(
        ("small", id, side), lambda: thumbnail(read_image(sample(id).read(), name=sample(id).title), side)
    )


DECODED = "decoded "
BESIDE = "pictures_beside"  # the pictures that a visitor has given as starting points, by digest
MOST_BESIDE = 3
LARGEST_SIDE = 1600  # pixels of the longer side that a session keeps of an own picture


def _shrunk(image: Image) -> np.ndarray:
    """Return the pixels, or a smaller copy of a very large picture, which no model would see in full."""
    scale = LARGEST_SIDE / max(image.height, image.width)
    if scale >= 1:
        return image.pixels
    height, width = max(1, round(image.height * scale)), max(1, round(image.width * scale))
    return fit(image, height, width, image.pixels.shape[2], "stretch").astype(np.uint8)


def _fitted(whole: Image, height: int, width: int, how: str) -> np.ndarray:
    return fit(whole, height, width, whole.pixels.shape[2], how).astype(np.uint8)


def remember(key: Hashable, make: Callable[[], T]) -> T:
    """Return what was made for this key before, or make it; the oldest of many is let go."""
    with _lock:
        if key in _kept:
            _kept.move_to_end(key)
            return _kept[key]  # type: ignore[return-value]
    made = make()
    with _lock:
        _kept[key] = made
        while len(_kept) > MOST_KEPT:
            _kept.popitem(last=False)
    return made
