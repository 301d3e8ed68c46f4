"""The Python side of the components: what travels to the browser, what is refused, who moved last."""

from __future__ import annotations

import json
import re
from importlib import import_module
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

from saliency_core.render.palettes import palettes
from saliency_view.components import Bar, ViewerState, bars, grid, number_text, viewer
from saliency_view.components.assets import FOLDER
from saliency_view.components.payload import pack
from saliency_view.components.settle import settle

MODULES = {name: import_module(f"saliency_view.components.{name}") for name in ("viewer", "grid", "bars")}


def unpack(block: bytes) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """Do in Python what the browser does with the bytes."""
    length = int.from_bytes(block[:4], "little")
    header = json.loads(block[4 : 4 + length])
    arrays = {}
    for entry in header["arrays"]:
        start = 4 + length + entry["start"]
        raw = np.frombuffer(block[start : start + entry["size"]], f"<{np.dtype(entry['dtype']).str[1:]}")
        arrays[entry["name"]] = raw.reshape(entry["shape"])
    return header, arrays


@pytest.fixture
def mounted(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """Components that record what they are given, in a session that is a plain dictionary."""
    seen = SimpleNamespace(data=None, answer={}, session={})

    def mount(*, data: Any, **_: Any) -> dict[str, Any]:
        seen.data = data
        return seen.answer

    for name, module in MODULES.items():
        monkeypatch.setattr(module, f"_{name}", mount)
    monkeypatch.setattr(st, "session_state", seen.session)
    return seen


def viewer_settings(**changes: Any) -> dict[str, Any]:
    random = np.random.default_rng(0)
    settings = {
        "key": "v",
        "photo": random.integers(0, 256, (5, 7, 3), np.uint8),
        "values": random.normal(size=(5, 7)).astype(np.float32),
        "channels": random.normal(size=(5, 7, 3)).astype(np.float32),
        "limit": 2.0,
        "family": "diverging",
        "palettes": [(p.id, p.title, p.family, p.lut) for p in palettes()],
        "palette": "blue_orange",
        "opacity": 0.9,
        "threshold": 0.1,
        "backdrop": "grey",
        "units": "logit per grey level",
        "title": "Gradient",
    }
    return settings | changes


def test_arrays_arrive_bit_by_bit(mounted: SimpleNamespace) -> None:
    settings = viewer_settings(note="<b>&</b>", selected=(np.int64(4), 6), busy=True)
    state = viewer(**settings)
    header, arrays = unpack(mounted.data)
    for name in ("photo", "values", "channels"):
        assert arrays[name].tobytes() == settings[name].tobytes()
        assert arrays[name].shape == settings[name].shape
    offered = palettes("diverging")
    assert [p["id"] for p in header["palettes"]] == [p.id for p in offered]
    for place, chosen in enumerate(offered):
        np.testing.assert_array_equal(arrays[f"lut_{place}"], chosen.lut)
    assert (header["note"], header["pixel"], header["busy"]) == ("<b>&</b>", [4, 6], True)
    assert state == ViewerState(
        pixel=(4, 6), palette="blue_orange", opacity=0.9, threshold=0.1, backdrop="grey"
    )


def test_a_map_of_an_imagenet_network_travels_without_waste(mounted: SimpleNamespace) -> None:
    photo = np.zeros((224, 224, 3), np.uint8)
    channels = np.zeros((224, 224, 3), np.float32)
    viewer(**viewer_settings(photo=photo, values=channels[..., 0].copy(), channels=channels))
    numbers = photo.nbytes + channels.nbytes + 224 * 224 * 4
    assert numbers == 953_344
    assert len(mounted.data) - numbers < 8_000


def test_a_wait_sends_no_array_twice_and_its_end_sends_all(mounted: SimpleNamespace) -> None:
    def names(**changes: Any) -> list[str]:
        viewer(**viewer_settings(**changes))
        return [entry["name"] for entry in unpack(mounted.data)[0]["arrays"]]

    everything = names(busy=True)
    assert everything[:3] == ["photo", "values", "channels"]
    assert names(busy=True) == []
    assert names(busy=True, values=np.ones((5, 7), np.float32)) == everything
    assert names(busy=False, values=np.ones((5, 7), np.float32)) == everything


def test_views_and_big_endian_numbers_arrive_as_they_look() -> None:
    numbers = np.arange(12, dtype=">f4").reshape(3, 4)[:, ::2]
    _, arrays = unpack(pack({}, {"byte": np.array([7], np.uint8), "numbers": numbers}))
    np.testing.assert_array_equal(arrays["numbers"], [[0, 2], [4, 6], [8, 10]])
    with pytest.raises(ValueError, match="float64"):
        pack({}, {"wide": np.zeros(3)})


WRONG = {
    "photo": [np.zeros((5, 7, 3)), np.zeros((5, 7, 4), np.uint8), np.zeros((0, 7, 3), np.uint8)],
    "values": [np.zeros((5, 7)), np.zeros((5, 7, 3), np.float32), np.full((5, 7), np.nan, np.float32)],
    "channels": [np.zeros((7, 5, 3), np.float32), np.full((5, 7, 3), np.inf, np.float32)],
    "limit": [float("nan"), -1.0],
    "palette": ["inferno", "none"],
    "opacity": [1.2, float("nan")],
    "threshold": [-0.1],
    "backdrop": ["gray", "", None],
    "selected": [(5, 0), (0, -1)],
    "box": [(0, 0, 6, 7), (-1, 0, 2, 2), (3, 0, 2, 2), (0, 0, 5, 8)],
    "palettes": [[("blue_orange", "Blue", "diverging", np.zeros((256, 3), np.uint8))]],
}


@pytest.mark.parametrize(
    ("name", "value"), [(name, value) for name, values in WRONG.items() for value in values]
)
def test_the_viewer_refuses_what_it_cannot_draw(mounted: SimpleNamespace, name: str, value: Any) -> None:
    with pytest.raises(ValueError):
        viewer(**viewer_settings(**{name: value}))
    assert mounted.data is None


def test_smallest_gray_and_coarse_maps_are_taken(mounted: SimpleNamespace) -> None:
    one = np.ones((1, 1), np.float32)
    viewer(**viewer_settings(photo=np.zeros((1, 1), np.uint8), values=one, channels=None, limit=0.0))
    assert unpack(mounted.data)[1]["photo"].shape == (1, 1, 1)
    viewer(**viewer_settings(values=one))


def sent(revision: int, **values: Any) -> dict[str, Any]:
    return {name: {"revision": revision, "value": value} for name, value in values.items()}


def test_the_visitor_moves_a_setting_and_the_page_may_stay_silent(mounted: SimpleNamespace) -> None:
    assert viewer(**viewer_settings()).opacity == 0.9
    mounted.session["v"] = sent(0, opacity=0.4, pixel=[1, 2])
    state = viewer(**viewer_settings())
    assert (state.opacity, state.pixel, state.threshold) == (0.4, (1, 2), 0.1)


def test_an_echo_never_pulls_a_setting_back(mounted: SimpleNamespace) -> None:
    viewer(**viewer_settings())
    mounted.session["v"] = sent(0, opacity=0.4)
    assert viewer(**viewer_settings()).opacity == 0.4
    mounted.session["v"] = sent(0, opacity=0.2)  # the visitor has moved on before the echo comes
    assert viewer(**viewer_settings(opacity=0.4)).opacity == 0.2
    assert unpack(mounted.data)[0]["revision"] == 0


def test_the_page_overrules_and_voids_what_was_sent_before(mounted: SimpleNamespace) -> None:
    viewer(**viewer_settings())
    mounted.session["v"] = sent(0, opacity=0.4, threshold=0.3)
    viewer(**viewer_settings())
    state = viewer(**viewer_settings(opacity=0.7))
    assert (state.opacity, state.threshold) == (0.7, 0.3)
    assert viewer(**viewer_settings(opacity=0.7)).opacity == 0.7
    header, _ = unpack(mounted.data)
    assert (header["revision"], header["look"]["opacity"]) == (1, 0.7)
    mounted.session["v"] = sent(1, opacity=0.5)
    assert viewer(**viewer_settings(opacity=0.7)).opacity == 0.5


@pytest.mark.parametrize(
    "forged",
    [
        {"opacity": "1"},
        {"opacity": True},
        {"opacity": 7},
        {"palette": ["x"]},
        {"palette": "inferno"},
        {"backdrop": "red"},
        {"backdrop": ["grey"]},
        {"backdrop": None},
    ]
    + [{"pixel": pixel} for pixel in ([5, 0], [0.0, 1], "ab", [1], {"0": 1}, [True, 0])],
)
def test_forged_state_counts_as_not_sent(mounted: SimpleNamespace, forged: dict[str, Any]) -> None:
    mounted.session["v"] = sent(0, **forged)
    assert viewer(**viewer_settings()) == ViewerState(None, "blue_orange", 0.9, 0.1, "grey")


def test_another_picture_drops_a_selection_that_lies_outside(mounted: SimpleNamespace) -> None:
    mounted.session["v"] = sent(0, pixel=[4, 6])
    assert viewer(**viewer_settings()).pixel == (4, 6)
    small = np.zeros((2, 2), np.float32)
    state = viewer(**viewer_settings(photo=np.zeros((2, 2, 1), np.uint8), values=small, channels=None))
    assert state.pixel is None


def test_what_settle_returns_can_be_changed_without_harm(mounted: SimpleNamespace) -> None:
    settle("k", {"a": 1}, {}, lambda *_: True)[0].clear()
    assert settle("k", {"a": 1}, {}, lambda *_: True) == ({"a": 1}, 0)


ROWS = [Bar(3, "cup", 0.5, "50 %"), Bar(7, "mug", 0.25, "25 %")]


def test_bars_return_a_press_and_nothing_forged(mounted: SimpleNamespace) -> None:
    settings = {"key": "b", "rows": ROWS, "selected": 7, "unit": "softmax", "title": "Predictions"}
    assert bars(**settings) is None
    assert (mounted.data["selected"], mounted.data["scale"]) == (7, 1.0)
    assert mounted.data["rows"][0] == {"index": 3, "label": "cup", "value": 0.5, "text": "50 %"}
    for picked, expected in ((3, 3), (4, None), ("3", None), (True, None), (None, None)):
        mounted.answer = {"picked": picked}
        assert bars(**settings) == expected
    for wrong in ([*ROWS, ROWS[0]], [Bar(1, "x", float("nan"), "?")]):
        with pytest.raises(ValueError):
            bars(**settings | {"rows": wrong})


def test_a_longer_bar_stretches_the_scale(mounted: SimpleNamespace) -> None:
    bars(key="b", rows=[Bar(0, "a", 12.5, "12.5")], selected=None, unit="logit", title="")
    assert mounted.data["scale"] == 12.5


def grid_settings(**changes: Any) -> dict[str, Any]:
    lut = palettes("diverging")[0].lut
    return {
        "key": "g",
        "values": np.arange(6.0).reshape(2, 3),
        "title": "",
        "unit": "",
        "limit": 5,
        "lut": lut,
    } | changes


def test_grid_weights_are_listed_row_by_row(mounted: SimpleNamespace) -> None:
    assert grid(**grid_settings()) == []
    assert unpack(mounted.data)[0]["weights"] is None
    seed = np.array([[0, 0, 0.1], [2, 0, 0]])
    assert grid(**grid_settings(weights=seed)) == [(0, 2, 0.1), (1, 0, 2.0)]
    mounted.session["g"] = sent(0, weights=[[1, 1, -2]])
    assert grid(**grid_settings(weights=seed)) == [(1, 1, -2.0)]


@pytest.mark.parametrize(
    "forged", [[[2, 0, 1]], [[0, 0, "1"]], [[0, 0]], [[0, 0, 1], [0, 0, 2]], 5, [[0, 0, 1e999]]]
)
def test_forged_weights_count_as_not_sent(mounted: SimpleNamespace, forged: Any) -> None:
    mounted.session["g"] = sent(0, weights=forged)
    assert grid(**grid_settings(weights=np.eye(2, 3))) == [(0, 0, 1.0), (1, 1, 1.0)]


@pytest.mark.parametrize(
    "wrong",
    [
        {"values": np.zeros((33, 1))},
        {"values": np.array([["a"]])},
        {"values": np.array([[np.inf]])},
        {"weights": np.eye(3)},
        {"lut": np.zeros((256, 3), np.uint8)},
        {"limit": float("inf")},
    ],
)
def test_the_grid_refuses_what_it_cannot_show(mounted: SimpleNamespace, wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError):
        grid(**grid_settings(**wrong))


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.0, "0"),
        (-0.0, "0"),
        (1.0, "+1"),
        (-0.5, "−0.5"),
        (2.1e-4, "+2.1·10⁻⁴"),
        (-9.996e-4, "−1·10⁻³"),
        (0.0012345, "+0.00123"),
        (1.125, "+1.13"),
        (99.96, "+100"),
        (999.6, "+1000"),
        (1234.4, "+1234"),
        (-12345.0, "−1.23·10⁴"),
        (1e100, "+1·10¹⁰⁰"),
        (float("nan"), "not a number"),
    ],
)
def test_numbers_have_three_digits_and_a_true_minus(value: float, text: str) -> None:
    assert number_text(value, signed=True) == text
    assert number_text(abs(value)) == text.lstrip("+−")


def test_foreign_text_can_only_become_a_text_node() -> None:
    scripts = sorted(FOLDER.glob("*.js"))
    assert {"viewer.js", "bars.js", "grid.js"} <= {path.name for path in scripts}
    markup = re.compile(
        r"innerHTML|outerHTML|insertAdjacentHTML|createContextualFragment|document\.write|eval\("
    )
    assert [path.name for path in scripts if markup.search(path.read_text(encoding="utf-8"))] == []


@pytest.mark.parametrize("show", ["viewer", "bars", "grid"])
def test_the_components_mount_in_a_simulated_app(show: str) -> None:
    app = AppTest.from_file(str(Path(__file__).with_name("demo_components.py")), default_timeout=30)
    app.query_params["show"] = show
    app.run()
    assert not app.exception
    expected = {"viewer": "blue_orange", "bars": "[]", "grid": "[[1, 1, 1.0]]"}[show]
    assert expected in app.code[0].value
