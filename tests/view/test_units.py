"""Choosing units by their cells: what the grid shows, and what a press makes of the target."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from saliency_core.grammar import parse
from saliency_view import state, units

PIXELS = np.full((4, 4, 1), 1, np.uint8)
IMAGE = {"image_name": "ones", "image_digest": "0" * 64, "format": "PNG"}
VALUES = np.arange(32, dtype=np.float32).reshape(4, 4, 2) - 20


class Desk:
    """The page around the grid: the values a worker found, what the grid was given, what is pressed."""

    def __init__(self) -> None:
        self.values: Any = VALUES
        self.state = "done"
        self.asked: dict[str, Any] = {}
        self.given: dict[str, Any] | None = None
        self.chosen: list[tuple[int, int, float]] | None = None
        self.reruns = self.waits = 0

    def ask(self, panel: str, task: str, params: Any, arrays: Any) -> Any:
        self.asked = {"task": task, **params}
        result = SimpleNamespace(arrays={"values": self.values}) if self.state == "done" else None
        ended = self.state not in ("queued", "running")
        return SimpleNamespace(state=self.state, result=result, ended=ended)

    def grid(self, **given: Any) -> list[tuple[int, int, float]]:
        self.given = given
        if self.chosen is not None:
            return self.chosen
        places = np.argwhere(given["weights"])
        return [(int(r), int(c), float(given["weights"][r, c])) for r, c in places]

    def rerun(self) -> None:
        self.reruns += 1

    def wait(self, job: Any, words: str) -> None:
        self.waits += 1

    def draw(self, target: str) -> str:
        """Draw the grid for a target and return the target of the view after it."""
        state.change(model="conv4x4", target=target)
        units.unit_grid(state.current(), IMAGE, PIXELS)
        return state.current().target


@pytest.fixture
def desk(monkeypatch: pytest.MonkeyPatch) -> Desk:
    made = Desk()
    monkeypatch.setattr("streamlit.session_state", {})
    monkeypatch.setattr("streamlit.query_params", {})
    monkeypatch.setattr("streamlit.rerun", made.rerun)
    monkeypatch.setattr(units.compute, "ask", made.ask)
    monkeypatch.setattr(units, "grid", made.grid)
    monkeypatch.setattr(units.compute, "wait_for", made.wait)
    return made


def seed(target: str) -> list[tuple[float, ...]]:
    return sorted(parse("target", target).weights)


@pytest.mark.parametrize("target", ["class_difference(0, 1)", "top_class()", "layer_channel(layer='conv')"])
def test_only_units_and_weightings_have_a_grid(target: str, desk: Desk) -> None:
    state.change(model="template", target=target)
    units.unit_grid(state.current(), IMAGE, PIXELS)
    assert desk.given is None
    assert not desk.asked


def test_the_grid_shows_one_channel_of_the_layer_that_the_target_names(desk: Desk) -> None:
    desk.draw("layer_unit(layer='output', row=1, col=2, channel=1)")
    assert (desk.asked["task"], desk.asked["layer"], desk.asked["model"]) == (
        "activation",
        "output",
        "conv4x4",
    )
    assert desk.given is not None
    np.testing.assert_array_equal(desk.given["values"], VALUES[..., 1])
    assert desk.given["limit"] == np.abs(VALUES[..., 1]).max()
    assert np.argwhere(desk.given["weights"]).tolist() == [[1, 2]]


def test_pressing_a_cell_explains_that_unit(desk: Desk) -> None:
    desk.chosen = [(1, 1, 1.0), (3, 2, 1.0)]
    after = desk.draw("layer_unit(layer='output', row=1, col=1, channel=0)")
    assert after == "layer_unit(layer='output', row=3, col=2, channel=0)"
    assert desk.reruns == 1


def test_what_is_already_explained_changes_nothing(desk: Desk) -> None:
    for target in ("layer_unit(layer='output', row=1, col=1, channel=0)", "output_seed([[1, 1, 0, 1.0]])"):
        assert desk.draw(target) == parse("target", target).spelling
    assert desk.reruns == 0


def test_pressing_the_explained_unit_again_keeps_it(desk: Desk) -> None:
    desk.chosen = []
    before = "layer_unit(layer='output', row=1, col=1, channel=0)"
    assert desk.draw(before) == before


def test_cells_and_weights_become_an_output_gradient(desk: Desk) -> None:
    desk.chosen = [(0, 0, -2.5), (1, 1, 1.0)]
    assert seed(desk.draw("output_seed([[1, 1, 0, 1.0]])")) == [(0, 0, 0, -2.5), (1, 1, 0, 1.0)]


def test_weights_on_other_channels_are_kept(desk: Desk) -> None:
    desk.chosen = [(1, 1, 1.0), (2, 2, 1.0)]
    after = desk.draw("output_seed([[1, 1, 0, 1.0], [3, 3, 1, 4.0]])")
    assert seed(after) == [(1, 1, 0, 1.0), (2, 2, 0, 1.0), (3, 3, 1, 4.0)]


def test_switching_the_last_cell_off_asks_for_nothing(desk: Desk) -> None:
    desk.chosen = []
    assert seed(desk.draw("output_seed([[1, 1, 0, 1.0]])")) == [(0, 0, 0, 0.0)]
    assert (
        desk.draw("output_seed([[0, 0, 0, 0.0]])") == "output_seed(weights=[[0, 0, 0, 0.0]], layer='output')"
    )
    assert desk.reruns == 1


def test_an_index_may_carry_the_batch(desk: Desk) -> None:
    desk.draw("output_seed([[0, 1, 2, 0, 3.0]])")
    assert desk.given is not None
    assert desk.given["weights"][1, 2] == 3.0
    assert np.count_nonzero(desk.given["weights"]) == 1


@pytest.mark.parametrize("values", [np.zeros(10, np.float32), np.zeros((40, 40, 1), np.float32)])
def test_what_is_no_small_map_has_no_grid(values: np.ndarray, desk: Desk) -> None:
    desk.values = values
    desk.draw("output_seed([[1, 1, 0, 1.0]])")
    assert desk.given is None


@pytest.mark.parametrize(("job", "waits"), [("running", 1), ("queued", 1), ("failed", 0), ("cancelled", 0)])
def test_the_grid_waits_for_the_worker(job: str, waits: int, desk: Desk) -> None:
    desk.state = job
    desk.draw("output_seed([[1, 1, 0, 1.0]])")
    assert desk.given is None
    assert desk.waits == waits
