"""Widgets from specs: each setting gets one with its value, unit and bounds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

from saliency_core.registry import Registered
from saliency_core.spec import Choice, Flag, Integer, Part, Real, Reals, Text, param
from saliency_view.controls import GROUPS, Options, by_group, settings


@dataclass(frozen=True)
class Everything(Registered):
    """One setting of each kind."""

    family: ClassVar[str] = "demo"
    id: ClassVar[str] = "everything"
    samples: int = param(Integer(25, low=1, high=500, title="Samples", help="How many *copies*."))
    unit: int = param(Integer(3, low=0))
    noise: float = param(Real(0.15, low=0.0, high=1.0, step=0.05, unit="of the range"))
    shift: float = param(Real(-2.5))
    way: str = param(Choice("b", options=("a", "b"), titles=("First", "Second")))
    three: str = param(Choice("x", options=("x", "y", "z")))
    exact: bool = param(Flag(True))
    name: str = param(Text("conv1"))
    base: Any = param(Part("gradient()", of="method"))
    several: Any = param(Reals(1.0))


DEFAULTS = {"samples": 25, "unit": 3, "noise": 0.15, "shift": -2.5, "way": "b", "three": "x", "exact": True,
            "name": "conv1", "base": None, "several": (1.0,)}  # fmt: skip


def page() -> None:
    from tests.view import test_controls as here

    here.draw()


def draw() -> None:
    """Draw every setting; what is told ends up in the session."""
    current = st.session_state.setdefault("current", dict(DEFAULTS))

    def tell(name: str, value: Any) -> None:
        st.session_state["current"] = {**current, name: value}

    settings("p", Everything, current, tell, st.session_state.get("options"), st.session_state.get("limits"))


@pytest.fixture
def drawn() -> AppTest:
    return AppTest.from_function(page, default_timeout=20).run()


def told(page: AppTest) -> dict[str, Any]:
    assert not page.exception
    current: dict[str, Any] = page.session_state["current"]
    return {name: value for name, value in current.items() if value != DEFAULTS[name]}


def key(name: str) -> str:
    return f"p-everything-{name}"


def test_every_group_of_methods_has_its_place_in_the_menu() -> None:
    groups = [cls.group for cls in by_group("method").values()]  # type: ignore[attr-defined]
    assert set(groups) == set(GROUPS)
    assert groups == sorted(groups, key=GROUPS.index)


def test_each_setting_gets_a_widget_that_shows_its_value(drawn: AppTest) -> None:
    assert not drawn.exception
    numbers = {one.key: one.value for one in drawn.number_input}
    assert numbers == {key("samples"): 25, key("unit"): 3, key("shift"): -2.5}
    assert [(one.key, one.value) for one in drawn.slider] == [(key("noise"), 0.15)]
    assert [(one.key, one.value) for one in drawn.selectbox] == [
        (key("three"), "x"),
        (key("base"), next(iter(by_group("method")))),
    ]
    assert [one.key for one in drawn.button_group] == [key("way")]
    assert drawn.button_group[0].value == "b"
    assert drawn.button_group[0].options == ["First", "Second"]
    assert [one.value for one in drawn.toggle] == [True]
    assert [one.value for one in drawn.text_input] == ["conv1"]


def test_labels_come_from_title_or_name_and_carry_the_unit(drawn: AppTest) -> None:
    assert drawn.number_input(key("samples")).label == "Samples"
    assert drawn.number_input(key("samples")).help == "How many *copies*."
    assert drawn.slider(key("noise")).label == "Noise (of the range)"
    assert drawn.toggle(key("exact")).label == "Exact"


def test_bounds_and_steps_are_those_of_the_spec(drawn: AppTest) -> None:
    samples, noise = drawn.number_input(key("samples")), drawn.slider(key("noise"))
    assert (samples.min, samples.max, samples.step) == (1, 500, 1)
    assert (noise.min, noise.max, noise.step) == (0.0, 1.0, 0.05)
    assert drawn.number_input(key("shift")).min is None


def test_a_setting_without_a_widget_is_written_as_text(drawn: AppTest) -> None:
    assert [one.value for one in drawn.caption] == [r"Several\: \(1\.0\,\)"]


@pytest.mark.parametrize(
    ("kind", "name", "value"),
    [
        ("number_input", "samples", 500),
        ("number_input", "unit", 0),
        ("number_input", "shift", 7.25),
        ("slider", "noise", 0.6),
        ("selectbox", "three", "z"),
        ("button_group", "way", "a"),
        ("toggle", "exact", False),
        ("text_input", "name", "conv2"),
    ],
)
def test_a_moved_widget_tells_exactly_its_own_setting(
    drawn: AppTest, kind: str, name: str, value: Any
) -> None:
    getattr(drawn, kind)(key(name)).set_value(value).run()
    assert told(drawn) == {name: value}
    drawn.run()
    assert getattr(drawn, kind)(key(name)).value == value


def test_a_part_is_told_as_the_object_itself(drawn: AppTest) -> None:
    drawn.selectbox(key("base")).select("gradient_x_input").run()
    assert told(drawn)["base"].spelling == "gradient_x_input()"
    drawn.run()
    assert drawn.selectbox(key("base")).value == "gradient_x_input"


def test_a_limit_of_the_model_narrows_a_number_and_pulls_its_value_in(drawn: AppTest) -> None:
    drawn.session_state["limits"] = {"unit": 2}
    drawn.run()
    unit = drawn.number_input(key("unit"))
    assert (unit.value, unit.max) == (2, 2)
    assert told(drawn) == {}  # nothing is told that nobody has moved


def test_options_of_the_model_replace_a_field_by_a_list(drawn: AppTest) -> None:
    drawn.session_state["options"] = {"unit": Options(range(10), lambda k: f"class {k}")}
    drawn.run()
    listed = drawn.selectbox(key("unit"))
    assert (listed.value, listed.options[9]) == (3, "class 9")
    listed.select(9).run()
    assert told(drawn) == {"unit": 9}


def test_a_value_that_is_not_offered_shows_the_first_that_is() -> None:
    def one() -> None:
        from saliency_view.controls import Options, choose

        choose("Pick", "pick", Options(["a", "b"]), "gone", lambda value: None)

    found = AppTest.from_function(one).run()
    assert not found.exception
    assert found.selectbox(key="pick").value == "a"


def page_of_one_that_refuses() -> None:
    from dataclasses import replace

    import streamlit as st

    from saliency_core.methods.guided_ig import GuidedIG
    from saliency_core.spec import specs
    from saliency_view import state
    from saliency_view.controls import settings

    method = GuidedIG()
    current = {name: getattr(method, name) for name in specs(method)}
    settings("m", GuidedIG, current, lambda name, value: replace(method, **{name: value}))
    for problem in state.problems("address"):
        st.warning(problem)


def test_settings_that_do_not_go_together_are_told_in_one_sentence() -> None:
    page = AppTest.from_function(page_of_one_that_refuses, default_timeout=20).run()
    page.selectbox("m-guided_ig-base").set_value("occlusion").run()
    assert not page.exception
    assert [one.value for one in page.warning] == [
        "guided_ig: occlusion gives no slopes to guide a path. Choose a base such as gradient()."
    ]


def test_what_is_shown_already_is_not_sent_again(drawn: AppTest) -> None:
    """What is sent would take back a choice that is made in the browser meanwhile."""
    widgets = [drawn.selectbox(key("base")), drawn.toggle(key("exact")), drawn.number_input(key("samples"))]
    assert all(one.proto.set_value for one in widgets)
    drawn.run()
    widgets = [drawn.selectbox(key("base")), drawn.toggle(key("exact")), drawn.number_input(key("samples"))]
    assert not any(one.proto.set_value for one in widgets)
    drawn.session_state["current"] = {**drawn.session_state["current"], "samples": 7}
    drawn.run()
    assert (drawn.number_input(key("samples")).value, drawn.selectbox(key("base")).proto.set_value) == (
        7,
        False,
    )
