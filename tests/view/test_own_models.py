"""The models of a visit: what is kept, what is let go, and what a worker is told."""

from __future__ import annotations

from typing import Any

import pytest

from saliency_core.errors import ModelError, SaliencyError
from saliency_core.workers.private import Upload
from saliency_view import own_models, state
from saliency_view.facts import facts, suits
from saliency_view.own_panel import _size

CARD = {
    "input": [8, 9, 1],
    "classes": 4,
    "labels": ["a"],
    "description": {"format": "Keras 3 file", "places": [{}]},
}


@pytest.fixture(autouse=True)
def session(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    held: dict[str, Any] = {}
    monkeypatch.setattr("streamlit.session_state", held)
    monkeypatch.setattr("streamlit.query_params", {})
    return held


def brought(number: int = 1, name: str = "mine.keras") -> str:
    own_models.add(Upload(f"{number:032x}"[::-1], f"/nowhere/{number}"), name)
    return own_models.opening()["id"]


@pytest.mark.parametrize(
    ("said", "address", "allowed"),
    [
        ("", "127.0.0.1", True),
        ("", "localhost", True),
        ("", "0.0.0.0", False),
        ("", None, False),
        ("on", "0.0.0.0", True),
        ("off", "127.0.0.1", False),
        (" OFF ", "127.0.0.1", False),
        ("nonsense", "0.0.0.0", False),
    ],
)
def test_models_may_be_brought_where_only_this_machine_listens_or_the_operator_says_so(
    said: str, address: str | None, allowed: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(own_models.SWITCH, said)
    monkeypatch.setattr("streamlit.get_option", lambda name: address)
    assert own_models.allowed() is allowed


def test_a_model_is_offered_once_it_is_open() -> None:
    id = brought()
    assert own_models.is_own(id)
    assert own_models.opened() == []
    with pytest.raises(ModelError, match="not open yet"):
        facts(id)
    assert own_models.settle(CARD) == id
    assert own_models.opening() is None
    assert own_models.opened() == [id]
    found = facts(id)
    assert (found.title, found.input, found.classes, found.labels) == ("mine.keras", (8, 9, 1), 4, ("a",))
    assert suits(id) == "digits"  # pictures in grey for a model in grey
    state.change(model=id)
    assert state.current().model == id
    assert state.current().target == "top_class()"


def test_the_oldest_of_several_is_let_go() -> None:
    first, second = brought(1), brought(2)
    gone = own_models.add(Upload("f" * 32, "/nowhere/3"), "third")
    assert [one.path for one in gone] == ["/nowhere/1"]
    assert first not in own_models.records()
    assert second in own_models.records()


def test_the_model_on_show_is_never_let_go_and_what_never_opened_goes_first() -> None:
    first = brought(1)
    own_models.settle(CARD)
    second = brought(2)
    own_models.settle(CARD)
    gone = own_models.add(Upload("e" * 32, "/nowhere/3"), "third", shown=first)
    assert [one.path for one in gone] == ["/nowhere/2"]
    gone = own_models.add(Upload("f" * 32, "/nowhere/4"), "fourth", shown=first)  # the third was refused
    assert [one.path for one in gone] == ["/nowhere/3"]
    assert first in own_models.opened()
    assert second not in own_models.records()


def test_a_view_of_a_model_that_is_gone_becomes_another_and_says_so() -> None:
    state.change(model=_open(brought()))
    own_models.records().clear()
    assert not own_models.is_own(state.current().model)
    assert "gone" in state.problems("address")[0]


def _open(id: str) -> str:
    return own_models.settle(CARD)


def test_what_never_opened_is_forgotten_and_what_was_open_stays() -> None:
    id = brought()
    own_models.give_up()
    assert own_models.records() == {}
    assert own_models.opening() is None
    id = brought()
    own_models.settle(CARD)
    own_models.want(id, {"preprocessing": "unit()"}, ["x"])
    own_models.give_up()
    assert own_models.record(id)["choices"] == {}


def test_a_worker_is_told_how_a_model_is_opened_and_where_it_lies() -> None:
    id = brought()
    own_models.want(id, {"preprocessing": "unit()"}, ["x", "y"])
    own_models.settle(CARD)
    params, upload = own_models.for_worker({"model": id, "target": "t"})
    assert params == {
        "model": id,
        "target": "t",
        "name": "mine.keras",
        "choices": {"preprocessing": "unit()"},
        "labels": ["x", "y"],
    }
    assert upload == Upload(f"{1:032x}"[::-1], "/nowhere/1")
    assert own_models.for_worker({"model": "digits"}) == ({"model": "digits"}, None)


def test_a_model_of_another_visit_is_missed_in_words() -> None:
    for call in (facts, own_models.record, lambda name: own_models.for_worker({"model": name})):
        with pytest.raises(ModelError, match=r"stays with the visit.*Open the file again"):
            call("own-0123456789ab")


def test_sizes_as_people_write_them() -> None:
    assert _size("") is None
    assert _size(" 224 x 112 ") == [224, 112]
    assert _size("28X28x1") == [28, 28, 1]
    for wrong in ("224", "0x4", "axb", "1x2x3x4", "-1x4"):
        with pytest.raises(SaliencyError, match="no size"):
            _size(wrong)
