"""The picture of a session: facts of the file, pixels that the model sees, nothing that others can see."""

from __future__ import annotations

import hashlib
import io

import numpy as np
import pytest
from PIL import Image

from saliency_core.errors import ImageError
from saliency_core.gallery import gallery, sample
from saliency_core.images import HOWS, fit, read_image
from saliency_view import pictures, state
from saliency_view.facts import facts
from saliency_view.state import OWN, View


@pytest.fixture(autouse=True)
def _session(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("streamlit.session_state", {})
    monkeypatch.setattr("streamlit.query_params", {})
    pictures._kept.clear()


def png(pixels: np.ndarray) -> bytes:
    out = io.BytesIO()
    Image.fromarray(pixels).save(out, "PNG")
    return out.getvalue()


def own(data: bytes, name: str = "mine.png", model: str = "digits") -> View:
    pictures.take(data, name)
    state.change(model=model, image=OWN)
    return state.current()


def noise(height: int, width: int) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (height, width, 3), np.uint8)


@pytest.mark.parametrize("how", HOWS)
@pytest.mark.parametrize("model", ["digits", "scenes", "conv4x4"])
def test_the_model_sees_what_the_library_would_prepare(model: str, how: str) -> None:
    height, width, channels = facts(model).input
    for data in (png(noise(300, 201)), png(noise(57, 90)[..., 0]), sample("camera").read()):
        state.change(model=model, fit=how)
        view = own(data, model=model)
        assert view.fit == how
        there = fit(pictures.seen(view), height, width, channels, how)
        np.testing.assert_array_equal(there, fit(read_image(data), height, width, channels, how))


def test_the_facts_are_those_of_the_file_however_it_is_kept() -> None:
    pixels = noise(1000, 2000)
    data = png(pixels)
    view = own(data, "large.png")
    expected = f"2000x1000 px, mean {pixels.mean():.2f}"
    assert pictures.decoded(view) == expected
    assert (
        pictures.facts_of(view) == f"large.png, SHA-256 {hashlib.sha256(data).hexdigest()[:12]}, {expected}"
    )
    assert max(pictures.picture(view).pixels.shape) == pictures.LARGEST_SIDE


def test_a_picture_that_is_kept_smaller_says_so() -> None:
    assert pictures.notices_of(own(png(noise(1000, 2000)))) == ["kept at 1600x800 px"]
    assert pictures.notices_of(own(png(noise(20, 30)))) == []


def test_the_same_file_of_two_visitors_keeps_both_names() -> None:
    data = png(noise(40, 40))
    assert pictures.seen(own(data, "ann.png")).name == "ann.png"
    assert pictures.seen(own(data, "bob.png")).name == "bob.png"


def test_a_bad_file_leaves_the_old_picture() -> None:
    before = pictures.facts_of(own(png(noise(40, 40))))
    with pytest.raises(ImageError):
        pictures.take(b"no picture", "bad.png")
    assert pictures.facts_of(state.current()) == before


def test_an_own_picture_is_needed_where_one_is_named() -> None:
    state.change(image=OWN)
    with pytest.raises(ImageError):
        pictures.picture(state.current())


def test_memory_is_bounded_and_what_was_used_last_stays() -> None:
    for number in range(pictures.MOST_KEPT):
        pictures.remember(number, lambda: "made")
    pictures.remember(0, lambda: "made anew")
    assert pictures.remember("one more", lambda: "new") == "new"
    assert len(pictures._kept) == pictures.MOST_KEPT
    assert pictures._kept[0] == "made"
    assert 1 not in pictures._kept


def test_every_picture_of_the_gallery_has_a_thumbnail() -> None:
    for one in gallery():
        shown = Image.open(io.BytesIO(pictures.small(one.id, 96)))
        assert max(shown.size) <= 96
        assert shown.format == "PNG"
