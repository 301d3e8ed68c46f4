"""The pieces of a page around one explanation: what they say, and that it is what the numbers say."""

from __future__ import annotations

import io
import json
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from PIL import Image

from saliency_core.attribution import Attribution, Prediction
from saliency_core.cells import Cells, Line
from saliency_core.errors import DownloadError, TargetError, WorkerError
from saliency_core.grammar import parse
from saliency_core.render.compose import SLIDE, overlay_png, render
from saliency_core.render.look import Look
from saliency_core.workers import answers
from saliency_core.workers.job import Result
from saliency_core.workers.run import CrashError
from saliency_view import panels, pictures, sentences, state
from saliency_view.components.viewer import ViewerState
from saliency_view.reading import reading
from saliency_view.text import JOINER, plain

HOSTILE = "<img src=x onerror=alert(1)> [x](http://e.com) $x$ :red[hi]"
RECIPE = {
    "image": HOSTILE, "image_sha256": "ab" * 32, "image_facts": "4x3 px, mean 9.00", "model": "template",
    "model_sha256": "cd" * 32, "preprocessing": "raw()", "fit": "crop", "target": "top_class()",
    "explained": "class_logit(1)", "method": "gradient()",
}  # fmt: skip


def made(values: np.ndarray, kind: str = "sensitivity", **words: Any) -> Attribution:
    point = np.linspace(0, 255, values.size, dtype=np.float32).reshape(values.shape)
    chances = (Prediction(1, "cross", 2.5, 0.875), Prediction(0, HOSTILE, -1.0, 0.0004))
    given = {
        "predictions": chances,
        "score": 2.5,
        "units": "logit per grey level",
        "seconds": 0.0123,
        "words": "logit of class 1",
    }
    return Attribution(values, kind, recipe=RECIPE, point=point, **{**given, **words})


def spike(value: float, channels: int = 3) -> np.ndarray:
    """Return a map (3, 4, channels) with one value in row 2, column 1, last channel."""
    values = np.zeros((3, 4, channels), np.float32)
    values[2, 1, -1] = value
    return values


class Screen:
    """Records what is drawn; buttons in `pressed` are."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.drawn: list[tuple[str, str]] = []
        self.files: dict[str, tuple[Any, ...]] = {}
        self.pressed: set[str] = set()
        self.reruns = 0
        for kind in ("error", "info", "caption", "markdown"):
            monkeypatch.setattr(f"streamlit.{kind}", self._recorder(kind))
        monkeypatch.setattr("streamlit.button", self.button)
        monkeypatch.setattr("streamlit.download_button", self.download)
        monkeypatch.setattr("streamlit.rerun", self.rerun)
        monkeypatch.setattr("streamlit.session_state", {})
        monkeypatch.setattr("streamlit.query_params", {})

    def _recorder(self, kind: str) -> Any:
        return lambda text, help="", **_: self.drawn.append((kind, text + (help or "")))

    def button(self, label: str, **_: Any) -> bool:
        self.drawn.append(("button", label))
        return label in self.pressed

    def download(self, label: str, make: Any, file: str, mime: str, **_: Any) -> None:
        self.files[label] = (file, mime, make)

    def rerun(self) -> None:
        self.reruns += 1

    def of(self, kind: str) -> list[str]:
        return [text for what, text in self.drawn if what == kind]


@pytest.fixture
def screen(monkeypatch: pytest.MonkeyPatch) -> Screen:
    return Screen(monkeypatch)


def test_a_result_comes_back_as_the_attribution_it_was() -> None:
    noise = np.abs(spike(0.1))
    one = replace(made(spike(0.5)), done=3, total=5, error=noise, facts={"gap": 0.5}, notes=("n",),
                  state={"sum": spike(2.0)}, cells=Cells(Line(31, 32), None))  # fmt: skip
    result = Result(*answers.answer(one), "", 0.0)
    back: Any = panels.attribution(SimpleNamespace(result=None, partial=result))  # type: ignore[arg-type]
    assert (back.done, back.total, back.facts, back.notes) == (3, 5, {"gap": 0.5}, ("n",))
    np.testing.assert_array_equal(back.error, noise)
    np.testing.assert_array_equal(back.state["sum"], spike(2.0))
    assert back.predictions == one.predictions
    assert back.cells == one.cells
    assert (back.words, back.units, back.recipe) == (one.words, one.units, one.recipe)
    np.testing.assert_array_equal(back.values, one.values)


def test_the_photo_is_the_point_as_bytes() -> None:
    point = np.float32([[[-3.0], [0.4]], [[254.6], [300.0]]])
    one = replace(made(np.zeros((2, 2, 1), np.float32)), point=point)
    assert panels.photo_of(one).tolist() == [[[0], [0]], [[255], [255]]]
    many = replace(one, point=np.repeat(point, 5, axis=2))
    assert panels.photo_of(many).shape == (2, 2, 1)


def said_of(one: Attribution, look: Look | None = None, **words: Any) -> str:
    """Return the sentence over a map, without the signs that keep foreign text from being markdown."""
    return sentences.sentence(one, look or Look.for_kind(one.kind), **words).replace("\\", "")


def test_the_sentence_tells_where_a_coarse_map_is_largest() -> None:
    values = np.zeros((2, 2), np.float32)
    values[1, 0] = 0.25
    point = np.zeros((8, 12, 3), np.float32)
    one = replace(made(spike(1.0), kind="region"), values=values, point=point, units="logit")
    assert said_of(one).endswith(
        "The map is strongest around row 6, column 2: 0.25 logit, for the logit of class 1."
    )
    placed = replace(one, cells=Cells(Line(1, 3), Line(2, 5)))
    assert "row 4, column 2:" in said_of(placed)
    assert said_of(one, final=False) == "The network says **cross** (87.5 %). "


def test_of_a_whole_region_the_sentence_tells_the_middle() -> None:
    values = np.zeros((7, 9), np.float32)
    values[1:6, 2:7] = -0.5
    point = np.zeros((7, 9, 3), np.float32)
    one = replace(made(spike(1.0), kind="region"), values=values, point=point, units="logit")
    assert "strongest around row 3, column 4: −0.5 logit" in said_of(one, Look(sign="signed"))


def test_the_sentence_tells_the_largest_value_with_sign_and_place() -> None:
    assert said_of(made(spike(-0.0125))) == (
        "The network says **cross** (87.5 %). One grey level more in blue at row 2, column 1 lowers the "
        "logit of class 1 by 0.0125; nothing on the map is stronger."
    )
    assert "raises the logit" in said_of(made(spike(3.0)))
    assert "blue" not in said_of(made(spike(3.0, channels=1)))
    assert "more in channel 4 at" in said_of(made(spike(3.0, channels=5)))


@pytest.mark.parametrize(
    ("look", "told"),
    [
        (Look(sign="signed"), "in red at row 0, column 0 lowers the logit of class 1 by 5;"),
        (Look(sign="magnitude"), "in red at row 0, column 0 lowers the logit of class 1 by 5;"),
        (Look(sign="positive"), "in green at row 1, column 2 raises the logit of class 1 by 3;"),
        (Look(sign="negative"), "in red at row 0, column 0 lowers the logit of class 1 by 5;"),
        (Look(reduce="channel", channel=1), "in green at row 0, column 0 raises the logit of class 1 by 4;"),
        (Look(reduce="channel", channel=2, sign="negative"), "in blue at row 2, column 3 lowers"),
        (Look(reduce="sum"), "in the whole pixel at row 2, column 3 lowers the logit of class 1 by 4;"),
        (Look(reduce="l2"), "map is the pixel at row 0, column 0: 6.4 logit per grey level, for the"),
    ],
    ids=["signed", "size", "positive", "negative", "one channel", "one channel below 0", "sum", "length"],
)
def test_the_sentence_speaks_of_what_the_look_shows(look: Look, told: str) -> None:
    values = np.zeros((3, 4, 3), np.float32)
    values[0, 0] = -5, 4, 0  # green is not seen beside the larger red
    values[1, 2] = 0, 3, 0
    values[2, 3] = -2, 0, -2
    assert told in said_of(made(values), look)


def test_the_sentence_passes_over_what_is_not_shown() -> None:
    values = np.float32([[[4], [-2], [1]]])
    noisy = replace(made(values), error=np.float32([[[3], [0.5], [0.1]]]))
    signed = Look(sign="signed")
    assert "column 0 raises the logit of class 1 by 4;" in said_of(noisy, signed)
    assert "column 1 lowers the logit of class 1 by 2;" in said_of(noisy, replace(signed, faded=True))
    assert "column 2 raises the logit of class 1 by 1;" in said_of(noisy, Look(sign="positive", faded=True))
    assert said_of(made(-values[:, :1]), Look(sign="positive")) == "The network says **cross** (87.5 %). "


def test_the_sentence_of_a_contribution_and_of_nothing() -> None:
    one = made(spike(-4.0), kind="contribution")
    told = "The largest contribution on the map is the whole pixel at row 2, column 1: it lowers the logit of"
    assert f"{told} class 1 by 4." in said_of(one)
    assert said_of(made(spike(0.0))) == "The network says **cross** (87.5 %). "
    assert said_of(made(spike(0.0), predictions=())) == ""


def test_a_foreign_label_stays_text_in_the_sentence() -> None:
    said = sentences.sentence(made(spike(1.0), predictions=(Prediction(0, HOSTILE, 1.0, None),)), Look())
    assert said.startswith(f"The network says **{plain(HOSTILE)}**. ")


def pressing(monkeypatch: pytest.MonkeyPatch, picked: int | None) -> dict[str, Any]:
    given: dict[str, Any] = {}

    def bars(**words: Any) -> int | None:
        given.update(words)
        return picked

    monkeypatch.setattr(panels, "bars", bars)
    return given


def test_bars_show_probabilities_and_mark_the_explained_class(
    screen: Screen, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = pressing(monkeypatch, None)
    panels.predictions(made(spike(1.0)), "key")
    assert [(row.index, row.label, row.text) for row in given["rows"]] == [
        (1, "cross", "87.5 %"),
        (0, HOSTILE, "< 0.1 %"),
    ]
    assert given["selected"] == 1
    assert screen.reruns == 0


def test_bars_of_a_model_without_probabilities_show_logits(
    screen: Screen, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = pressing(monkeypatch, None)
    rows = (Prediction(0, "a", -2.0, None), Prediction(1, "b", -8.0, None))
    panels.predictions(made(spike(1.0), predictions=rows), "key")
    assert [row.value for row in given["rows"]] == [-2.0, -8.0]
    assert given["full"] == 8.0


def test_a_press_on_another_bar_explains_that_class(screen: Screen, monkeypatch: pytest.MonkeyPatch) -> None:
    state.change(model="template")
    pressing(monkeypatch, 0)
    panels.predictions(made(spike(1.0)), "key")
    assert state.current().target == "class_logit(0)"
    assert screen.reruns == 1
    pressing(monkeypatch, 1)  # the class that the map on screen explains
    panels.predictions(made(spike(1.0)), "key")
    assert state.current().target == "class_logit(0)"


def test_what_is_moved_in_the_viewer_is_the_look_of_view_and_files(
    screen: Screen, monkeypatch: pytest.MonkeyPatch
) -> None:
    state.change(model="template")
    given: dict[str, Any] = {}

    def viewer(**words: Any) -> ViewerState:
        given.update(words)
        return ViewerState(None, words["palette"], 0.25, 0.5, "colour")

    monkeypatch.setattr(panels, "viewer", viewer)
    look = parse("look", state.current().look)
    moved = panels.map_viewer(made(spike(-2.0)), look, "map")
    assert (moved.opacity, moved.threshold, moved.palette) == (0.25, 0.5, look.palette)
    assert moved.backdrop == "colour"
    assert parse("look", state.current().look) == moved
    assert (given["limit"], given["title"], given["units"]) == (
        2.0,
        "Gradient of the logit of class 1",
        "logit per grey level",
    )
    assert given["values"][2, 1] == -2.0


def test_a_coarse_map_is_shown_where_its_cells_lie_smoothly_or_in_blocks(
    screen: Screen, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[Any] = []

    def viewer(**words: Any) -> ViewerState:
        seen.append(words["values"])
        return ViewerState(None, words["palette"], words["opacity"], words["threshold"], words["backdrop"])

    monkeypatch.setattr(panels, "viewer", viewer)
    coarse = np.float32([[0.0, 4.0]])
    one = replace(made(spike(1.0)), values=coarse, kind="region", cells=Cells(None, Line(1.0, 2.0)))
    for smooth in (True, False):
        panels.map_viewer(one, replace(Look.for_kind("region"), smooth=smooth), "map")
    assert seen[0].tolist() == [[0, 0, 2, 4]] * 3
    assert seen[1].tolist() == [[0, 0, 0, 4]] * 3


def test_a_locked_scale_is_the_end_of_the_viewers_scale(
    screen: Screen, monkeypatch: pytest.MonkeyPatch
) -> None:
    given: dict[str, Any] = {}

    def viewer(**words: Any) -> ViewerState:
        given.update(words)
        return ViewerState(None, words["palette"], words["opacity"], words["threshold"], words["backdrop"])

    monkeypatch.setattr(panels, "viewer", viewer)
    panels.map_viewer(made(spike(2.0)), Look(limit=7.5), "map")
    assert given["limit"] == 7.5


def test_the_line_of_facts_names_what_the_numbers_belong_to(
    screen: Screen, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pictures, "facts_of", lambda view: f"{HOSTILE}, SHA-256 abc, 4x3 px, mean 9.00")
    monkeypatch.setattr(pictures, "notices_of", lambda view: ["first of 12 frames"])
    panels.facts_line(made(spike(1.0)), state.View())
    line, note = screen.of("caption")
    for part in (
        "4x3 px",
        "mean 9.00",
        "template",
        "SHA-256 cdcdcdcdcdcd",
        "class_logit(1)",
        "0.012 s",
        HOSTILE,
    ):
        assert part in line.replace("\\", "").replace(JOINER, "")
    assert plain(HOSTILE) in line
    assert note.replace("\\", "") == "Image note: first of 12 frames."


def test_files_hold_the_numbers_and_the_look_on_screen(screen: Screen) -> None:
    one, look = made(spike(0.5)), Look(sign="signed", opacity=0.4)
    panels.downloads(one, look)
    names = {label: file for label, (file, _, _) in screen.files.items()}
    assert set(names.values()) == {
        f"saliency-template-abababab.{end}" for end in ("png", "npz", "pdf", "svg")
    }
    png = screen.files["Overlay PNG"][2]()
    assert png == overlay_png(render(one, panels.photo_of(one), look), SLIDE)
    assert Image.open(io.BytesIO(png)).size == (800, 600)
    raw = np.load(io.BytesIO(screen.files["Raw map NPZ"][2]()), allow_pickle=False)
    np.testing.assert_array_equal(raw["values"], one.values)
    np.testing.assert_array_equal(raw["pixels"], one.point)
    assert json.loads(str(raw["recipe"]))["explained"] == "class_logit(1)"


def test_figures_for_print_are_made_when_asked_for(screen: Screen) -> None:
    panels.downloads(made(spike(0.5)), Look())
    assert screen.files["Figure PDF"][2]().startswith(b"%PDF-")
    svg = screen.files["Figure SVG"][2]()
    assert b"<svg" in svg
    assert b"<img" not in svg


def failed(error: Any = None, state: str = "failed", error_id: str = "") -> Any:
    retryable = state == "failed" and isinstance(error, WorkerError)
    return SimpleNamespace(
        state=state, error=error, error_id=error_id, retryable=retryable, key=("s", "explain")
    )


@pytest.mark.parametrize(
    "job",
    [
        failed(WorkerError("The worker ended.")),
        failed(DownloadError("No network.")),
        failed(state="cancelled"),
        failed(CrashError("The worker stumbled."), error_id="abc123"),
    ],
)
def test_what_may_work_the_next_time_can_be_tried_again(
    job: Any, screen: Screen, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[Any] = []
    monkeypatch.setattr(panels.compute, "again", asked.append)
    panels.failure(job)
    assert screen.of("button") == ["Try again"]
    assert asked == []
    screen.pressed.add("Try again")
    panels.failure(job)
    assert asked == [job]
    assert screen.reruns == 1
    assert not job.error_id or f"error {job.error_id}" in screen.of("error")[0]


def test_a_wrong_question_is_told_and_leads_back_to_a_right_one(screen: Screen) -> None:
    state.change(model="template", target="layer_unit(layer='nowhere')")
    screen.pressed = {"Explain what is usual for this model"}
    panels.failure(failed(TargetError(f"There is no layer {HOSTILE}.", "Choose another.")))
    assert "Try again" not in screen.of("button")
    assert plain(HOSTILE) in screen.of("error")[0]
    assert state.current().target == "top_class()"


FOUND = {"good": True, "error": 2.5e-7, "beside": False, "predicted": [0.5, -1.0, 2.0],
         "measured": [0.5, -1.0, 2.0], "step": 1e-5, "precision": "float64",
         "sentence": "They agree."}  # fmt: skip


def checked(found: dict[str, Any] | None, monkeypatch: pytest.MonkeyPatch, state: str = "done") -> None:
    """Draw the evidence of a map for what the worker found."""
    result = None if found is None else Result(found, {}, "", 0.0)
    job = SimpleNamespace(state=state, ended=state not in ("queued", "running"), result=result)
    monkeypatch.setattr(panels.compute, "ask", lambda *_, **__: job)
    panels.evidence(made(spike(1.0)), state_view())


def state_view() -> state.View:
    return state.View(model="template")


def test_evidence_shows_the_figure_and_the_pairs_behind_it(
    screen: Screen, monkeypatch: pytest.MonkeyPatch
) -> None:
    checked(FOUND, monkeypatch)
    (shown,) = screen.of("markdown")
    assert shown.startswith(":green[")
    for part in (
        "agree within 2.5·10⁻⁷ (relative)",
        "0.5 against 0.5, −1 against −1, 2 against 2",
        "float64",
        "They agree.",
    ):
        assert part in shown.replace("\\", "")


def test_evidence_against_the_map_is_shown_in_red(screen: Screen, monkeypatch: pytest.MonkeyPatch) -> None:
    checked({**FOUND, "good": False, "error": 0.3}, monkeypatch)
    assert screen.of("markdown")[0].startswith(":red[")
    assert "Doubtful" in screen.of("markdown")[0]


def test_a_score_that_does_not_move_is_no_proof(screen: Screen, monkeypatch: pytest.MonkeyPatch) -> None:
    nothing = [0.0, 0.0, 0.0]
    checked({**FOUND, "error": 0.0, "predicted": nothing, "measured": nothing}, monkeypatch)
    assert "Nothing to check" in screen.of("markdown")[0]
    assert "green" not in screen.of("markdown")[0]


@pytest.mark.parametrize("kind", ["sensitivity", "contribution"])
def test_how_to_read_a_map_names_its_score_and_its_kind(kind: str, screen: Screen) -> None:
    reading(made(spike(1.0), kind=kind))
    said = " ".join(screen.of("markdown")).replace("\\", "")
    assert "The score is the logit of class 1" in said
    assert ("slope" in said, "adds to the score" in said) == (kind == "sensitivity", kind != "sensitivity")


@pytest.mark.parametrize(("found", "state"), [({}, "done"), (None, "failed"), (None, "cancelled")])
def test_no_evidence_is_said_in_words(
    found: Any, state: str, screen: Screen, monkeypatch: pytest.MonkeyPatch
) -> None:
    checked(found, monkeypatch, state)
    assert not screen.of("markdown")
    assert len(screen.of("caption")) == 1
