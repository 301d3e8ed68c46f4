"""The doctor's panel: what it says, how much at once, and that foreign words stay words."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from saliency_core.errors import DownloadError, ModelError, SaliencyError
from saliency_core.images import Image
from saliency_core.workers.job import Result
from saliency_core.workers.private import Upload
from saliency_view import compute, doctor, explaining, own_models, panels
from saliency_view.state import View
from saliency_view.text import plain
from tests.view.test_panels import HOSTILE, Screen

IMAGE = {"image_name": "a", "image_digest": "b", "format": "PNG"}
PIXELS = np.zeros((2, 2, 1), np.uint8)


def finding(id: str, severity: str = "warning", words: str = "") -> dict[str, Any]:
    return {
        "id": id,
        "severity": severity,
        "sentence": f"{id} {words}.",
        "advice": f"Mend {id}.",
        "numbers": {},
    }


@dataclass
class Asked:
    """A job as far as the panel looks at it."""

    state: str
    result: Result | None = None

    @property
    def ended(self) -> bool:
        return self.state in ("done", "failed", "cancelled")


@pytest.fixture
def screen(monkeypatch: pytest.MonkeyPatch) -> Screen:
    made = Screen(monkeypatch)

    @contextmanager
    def expander(label: str) -> Any:
        made.drawn.append(("expander", label))
        yield
        made.drawn.append(("end", label))

    monkeypatch.setattr("streamlit.expander", expander)
    monkeypatch.setattr("streamlit.error", lambda text, icon="": made.drawn.append(("error", text)))
    return made


@contextmanager
def above(screen: Screen) -> Any:
    screen.drawn.append(("above", ""))
    yield
    screen.drawn.append(("below", ""))


def test_silent_about_a_healthy_model(screen: Screen) -> None:
    doctor.findings([], "top_class()", above(screen))
    assert screen.drawn[2:] == [("caption", ":material/check: The doctor found nothing unusual.")]


def test_a_note_leaves_the_model_healthy(screen: Screen) -> None:
    doctor.findings([finding("saturated", "note")], "top_class()", above(screen))
    assert [kind for kind, _ in screen.drawn[2:]] == ["caption", "caption"]
    assert doctor.HEALTHY in screen.of("caption")[0]
    assert plain("Mend saturated.") in screen.of("caption")[1]


def test_saturation_is_a_warning_where_a_probability_is_explained(screen: Screen) -> None:
    doctor.findings([finding("saturated", "note")], "2.0*class_probability(3)", above(screen))
    assert not screen.of("caption")
    assert ":orange[:material/warning:]" in screen.of("markdown")[-1]


def test_three_at_once_the_gravest_first_and_the_rest_behind_a_press(screen: Screen) -> None:
    rows = [
        finding("n", "note"),
        finding("a"),
        finding("s", "stop"),
        finding("b"),
        finding("c"),
        finding("d"),
    ]
    doctor.findings(rows, "top_class()", above(screen))
    assert screen.drawn[:3] == [("above", ""), ("error", f"{plain('s .')} {plain('Mend s.')}"), ("below", "")]
    at = screen.drawn.index(("expander", "2 more from the doctor"))
    before = [text for kind, text in screen.drawn[:at] if kind == "markdown"]
    assert before[0] == "**The doctor found**"
    assert [text.split("] ")[1].split(" ")[0] for text in before[1:]] == ["a", "b", "c"]
    assert [kind for kind, _ in screen.drawn[at + 1 :]] == ["markdown", "caption", "end"]
    assert doctor.HEALTHY not in "".join(screen.of("caption"))


def test_nothing_healthy_is_said_below_a_stop(screen: Screen) -> None:
    doctor.findings([finding("s", "stop")], "top_class()", above(screen))
    assert [kind for kind, _ in screen.drawn] == ["above", "error", "below"]


@pytest.mark.parametrize("severity", ["stop", "warning", "note", HOSTILE])
def test_foreign_words_stay_words(screen: Screen, severity: str) -> None:
    doctor.findings([finding("x", severity, HOSTILE)], "top_class()", above(screen))
    text = "".join(text for _, text in screen.drawn)
    assert plain(HOSTILE) in text
    assert HOSTILE not in text


def test_the_look_is_asked_in_the_background_and_shown_when_done(
    screen: Screen, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[Any] = []
    job = Asked("done", Result({"findings": [finding("labels")]}, {}, "", 0.0))

    def ask(*given: Any, **more: Any) -> Asked:
        asked.append((given, more))
        return job

    monkeypatch.setattr(compute, "ask", ask)
    view = View(model="digits", image="digit_7", target="top_class()", method="gradient()")
    doctor.doctor(view, IMAGE, PIXELS, above(screen))
    (panel, task, params, arrays), more = asked[0]
    assert (panel, task) == ("doctor", "doctor")
    assert params == {"model": "digits", "fit": view.fit, **IMAGE}
    assert arrays["image"] is PIXELS
    assert more == {"background": True, "wait": 0}
    assert "labels" in screen.of("markdown")[-1]
    job.state, job.result = "failed", None
    doctor.doctor(view, IMAGE, PIXELS, above(screen))
    assert screen.of("caption") == ["The doctor did not finish."]


def test_what_shows_at_sight_stands_until_all_is_known_and_nothing_is_said_twice(
    screen: Screen, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = Asked("running")
    monkeypatch.setattr(compute, "ask", lambda *given, **more: job)
    monkeypatch.setattr(compute, "wait_for", lambda job, words: screen.drawn.append(("wait", words)))
    view = View(model="digits", image="digit_7", target="top_class()", method="gradient()")
    seen = [finding("own_gradient_rules"), finding("no_derivative", "stop")]

    def said() -> str:
        screen.drawn.clear()
        doctor.doctor(view, IMAGE, PIXELS, above(screen), seen)
        return " ".join(text for _, text in screen.drawn)

    first = said()
    assert (
        first.index("no\\_derivative") < first.index("own\\_gradient\\_rules") < first.index("doctor looks")
    )
    assert doctor.HEALTHY not in first
    job.state, job.result = "done", Result({"findings": [*seen, finding("dead_relu")]}, {}, "", 0.0)
    last = said()
    assert [last.count(plain(f"Mend {one}.")) for one in ("own_gradient_rules", "no_derivative", "dead_relu")] == [
        1, 1, 1]  # fmt: skip
    job.state, job.result = "failed", None
    assert "did not finish" in said()
    assert plain("Mend own_gradient_rules.") in said()


def test_nothing_is_said_at_sight_of_a_healthy_model(screen: Screen) -> None:
    doctor.at_sight([], "top_class()", above(screen))
    assert screen.drawn == []


@pytest.mark.parametrize(
    ("state", "error", "retryable", "looks"),
    [
        ("failed", ModelError("No derivative."), False, True),
        ("failed", DownloadError("No network."), False, False),
        ("failed", ModelError("The worker ended."), True, False),
        ("cancelled", None, False, False),
    ],
)
def test_the_doctor_is_asked_why_there_is_no_map(
    monkeypatch: pytest.MonkeyPatch, state: str, error: SaliencyError | None, retryable: bool, looks: bool
) -> None:
    calls: list[str] = []
    monkeypatch.setattr(panels, "failure", lambda job: calls.append("failure"))
    monkeypatch.setattr(explaining, "doctor", lambda *given: calls.append("doctor"))
    view = View(model="digits", image="digit_7", target="top_class()", method="gradient()")
    job: Any = SimpleNamespace(
        state=state, ended=True, error=error, retryable=retryable, result=None, partial=None
    )
    explaining._answer(view, Image(PIXELS, "a", "b", "PNG"), job, explaining.NOTHING)
    assert calls == (["failure", "doctor"] if looks else ["failure"])


def test_a_visitors_model_is_opened_with_the_better_preprocessing_at_a_press(screen: Screen) -> None:
    own_models.add(Upload("a" * 32, "/nowhere"), "mine.keras")
    card = {
        "input": [4, 4, 1],
        "classes": 2,
        "labels": [],
        "description": {"format": "", "places": [{}]},
    }
    view = View(model=own_models.settle(card))
    found = [{**finding("preprocessing"), "numbers": {"better": "symmetric()"}}]
    doctor._prescription(view, found)
    assert own_models.opening() is None
    assert screen.of("button") == ["Open with symmetric"]
    screen.pressed = {"Open with symmetric"}
    doctor._prescription(view, found)
    assert own_models.opening() == {
        "id": view.model,
        "choices": {"preprocessing": "symmetric()"},
        "labels": [],
    }
    assert screen.reruns == 1


def test_no_prescription_for_a_model_of_the_lab_or_without_need(screen: Screen) -> None:
    found = [{**finding("preprocessing"), "numbers": {"better": "symmetric()"}}]
    doctor._prescription(View(model="digits"), found)
    doctor._prescription(View(model="own-000000000000"), [finding("labels")])
    assert screen.of("button") == []
