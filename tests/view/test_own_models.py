"""The models of a visit: what is kept, what is let go, and what a worker is told."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

import pytest

from saliency_core.errors import ModelError, SaliencyError
from saliency_core.workers.private import Upload
from saliency_view import own_models, state
from saliency_view.facts import facts, suits
from saliency_view.own_panel import LIMIT, LIMIT_MB, _reopen, _show, _size, form_of, offered
from saliency_view.server import MIB, UPLOAD_QUOTA

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


KERAS = {
    "format": "Keras 3 file (.keras)",
    "inputs": [{"name": "left"}, {"name": "right"}],
    "outputs": [{"name": "scores"}, {"name": "mask"}],
    "signatures": [],
}


def test_what_the_file_has_can_be_chosen_and_what_does_nothing_is_not_offered() -> None:
    assert offered(None) == {"signature": [], "input": [], "output": []}  # not open: any name may be typed
    assert offered(KERAS) == {"output": ["scores", "mask"]}
    saved = {**KERAS, "format": "SavedModel, TensorFlow 2.21.0", "signatures": ["raw", "serve"]}
    assert offered(saved) == {
        "signature": ["raw", "serve"],
        "input": ["left", "right"],
        "output": ["scores", "mask"],
    }
    assert list(offered({**KERAS, "format": "frozen graph"})) == ["input", "output"]


def test_what_is_not_drawn_is_not_chosen_and_what_is_typed_counts(session: dict[str, Any]) -> None:
    id = _open(brought())
    fields = {"way": "unit", "affine": "", "labels": "a\n\nb", "size": "", "output": "logits/BiasAdd "}
    form = form_of(id, own_models.record(id))
    session.update({f"{form}-{field}": value for field, value in fields.items()})
    session[f"{form}-input"] = None  # an empty list
    _reopen(id, form)
    assert own_models.opening() == {
        "id": id,
        "choices": {
            "preprocessing": "unit()",
            "size": None,
            "signature": "",
            "input": "",
            "output": "logits/BiasAdd",
        },
        "labels": ["a", "b"],
    }


def test_the_server_takes_files_as_large_as_the_box_says() -> None:
    settings = tomllib.loads((Path(__file__).parents[2] / ".streamlit" / "config.toml").read_text())
    assert settings["server"]["maxUploadSize"] == LIMIT_MB
    assert str(LIMIT_MB) in LIMIT
    assert own_models.MOST * LIMIT_MB * MIB < UPLOAD_QUOTA  # as many as a visit keeps


def test_the_fields_show_how_the_model_is_opened_now() -> None:
    id = _open(brought())
    before = form_of(id, own_models.record(id))
    own_models.want(id, {"preprocessing": "symmetric()"}, [])  # as the doctor says, not as the fields say
    wanted = own_models.opening()
    assert wanted is not None
    during = form_of(id, wanted)
    own_models.settle(CARD)
    assert before != during == form_of(id, own_models.record(id))


def test_a_question_that_the_model_opened_anew_cannot_answer_gives_way() -> None:
    _show(_open(brought()))
    state.change(target="class_logit(3)")
    id = state.current().model
    own_models.want(id, {"output": "other"}, [])
    _show(own_models.settle({**CARD, "classes": 5}))
    assert state.current().target == "class_logit(3)"
    own_models.want(id, {"output": "small"}, [])
    _show(own_models.settle({**CARD, "classes": 2}))
    assert (state.current().model, state.current().target) == (id, "top_class()")


def test_every_opening_is_counted_so_that_a_narrow_screen_turns_to_the_page() -> None:
    assert own_models.opened_so_far() == 0
    id = _open(brought())
    own_models.want(id, {"preprocessing": "unit()"}, [])
    own_models.settle(CARD)
    assert own_models.opened_so_far() == 2


def test_sizes_as_people_write_them() -> None:
    assert _size("") is None
    assert _size(" 224 x 112 ") == [224, 112]
    assert _size("28X28x1") == [28, 28, 1]
    for wrong in ("224", "0x4", "axb", "1x2x3x4", "-1x4"):
        with pytest.raises(SaliencyError, match="no size"):
            _size(wrong)
