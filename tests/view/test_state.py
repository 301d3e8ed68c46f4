"""The view: what fills its gaps, what a change brings along, and what an address can and cannot do."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from saliency_core.errors import SaliencyError
from saliency_core.gallery import for_model
from saliency_core.grammar import parse
from saliency_core.models.opening import FIRST_MODEL
from saliency_view import state
from saliency_view.facts import facts
from saliency_view.state import OWN, OWN_KEY, View

PAGE = "explain"


class Address(dict[str, str]):
    """The address bar as Streamlit offers it, with a count of what was written."""

    written = 0

    def from_dict(self, words: dict[str, str]) -> None:
        self.clear()
        self.update(words)
        self.written += 1


@pytest.fixture(autouse=True)
def address(monkeypatch: pytest.MonkeyPatch) -> Address:
    bar = Address()
    monkeypatch.setattr("streamlit.session_state", {})
    monkeypatch.setattr("streamlit.query_params", bar)
    return bar


def revisit(address: Address) -> None:
    """Open what the address bar says in a new session."""
    state.write_address(PAGE)
    state.st.session_state.clear()


def test_a_new_session_explains_the_first_model_on_its_first_picture() -> None:
    view = state.current()
    assert (view.model, view.image) == (FIRST_MODEL, for_model(FIRST_MODEL)[0].id)
    assert (view.target, view.method, view.fit) == ("top_class()", "gradient()", facts(FIRST_MODEL).fit)
    assert state.problems("address") == []


@pytest.mark.parametrize(
    "words",
    [
        {"model": "digits", "image": "digit_7_ink", "target": "class_logit(3)", "fit": "pad"},
        {"model": "template", "method": "gradient_x_input()", "target": "class_difference(this=0, that=2)"},
        {"model": "conv4x4", "target": "output_seed(weights=[[0, 1, 0, 1.0], [3, 3, 0, -2.5]])"},
        {"look": "look(sign='positive', reduce='channel', channel=2, clip=90, opacity=0.25)"},
    ],
)
def test_an_address_reproduces_the_view(words: dict[str, str], address: Address) -> None:
    state.change(**words)
    before = state.current()
    revisit(address)
    assert state.current() == before
    assert state.problems("address") == []


def test_the_address_is_written_only_when_it_says_something_else(address: Address) -> None:
    state.write_address(PAGE)
    state.write_address(PAGE)
    assert address.written == 1
    state.change(target="class_logit(1)")
    state.write_address(PAGE)
    assert (address.written, address["target"]) == (2, "class_logit(1)")


def test_another_model_brings_picture_target_and_fit_that_suit_it() -> None:
    state.change(model="digits", target="class_logit(7)", fit="crop")
    state.change(model="conv4x4")
    view = state.current()
    assert view.image == for_model("conv4x4")[0].id
    assert parse("target", view.target).id == "output_seed"
    assert view.fit == facts("conv4x4").fit


def test_another_model_keeps_the_visitors_own_picture() -> None:
    state.change(image=OWN)
    state.change(model="digits")
    assert state.current().image == OWN


@pytest.mark.parametrize(("before", "after"), [("scenes", "digits"), ("template", "conv4x4")])
def test_another_model_does_not_keep_a_channel_that_it_has_not(before: str, after: str) -> None:
    state.change(model=before, look="look(reduce='channel', channel=2, opacity=0.5)")
    state.change(model=after)
    look = parse("look", state.current().look)
    assert (look.reduce, look.opacity) == ("max_abs", 0.5)


def test_a_method_of_another_kind_brings_its_look_and_one_of_the_same_kind_keeps_it() -> None:
    state.change(look="look(sign='magnitude', opacity=0.3)")
    kept = state.current().look
    state.change(method="gradient()")
    assert state.current().look == kept
    state.change(method="gradient_x_input()")
    assert parse("look", state.current().look).sign == "signed"


HOSTILE = {
    "model": ["../../etc/passwd", "nosuch", "<script>", "Digits", "scenes\x00"],
    "image": ["../README.md", "https://evil.example/a.png", "own2", "digit_3;rm"],
    "target": [
        "class_logit(-1)", "class_logit(1e99)", "class_logit(True)", "__import__('os').system('id')",
        "(" * 3000 + "top_class()", "-" * 3000 + "top_class()", "top_class() + 1", "9e999*top_class()",
        "\x00", "gradient()", "class_logit(10)", "class_difference(2, 10)", "class_logit(index=1, index=2)",
        "output_seed([])", "output_seed([[]])",
        "layer_unit(layer='')", "class_logit(" + "9" * 7000 + ")", "lambda: 0", "top_class", "[top_class()]",
    ],
    "method": ["rm()", "gradient(1)", "", "top_class()", "gradient() + gradient()"],
    "fit": ["cover", "<b>crop</b>", "CROP"],
    "look": ["look(sign='up')", "look(clip=nan)", "look(clip=0)", "look(palette='jet')", "look(opacity=2)",
             "look(reduce='l2', sign='signed')", "look(channel=-1)", "gradient()"],
}  # fmt: skip


@pytest.mark.parametrize(
    ("name", "value"), [(name, value) for name, values in HOSTILE.items() for value in values]
)
def test_what_cannot_be_read_is_said_and_the_rest_holds(name: str, value: str, address: Address) -> None:
    address.update({"model": "digits", "target": "class_logit(3)", name: value, "extra": "<img>"})
    if name == "model":
        address.pop("target")
    view = state.current()
    said = state.problems("address")
    readable = value in ("", "top_class")  # an empty part is a gap, and a name alone is a spelling
    assert len(said) == (0 if readable else 1), said
    assert all(len(sentence) < 2500 for sentence in said)
    assert view == view.settled()
    if name != "model":
        assert view.model == "digits"
    state.write_address(PAGE)
    assert set(address) == {"model", "image", "target", "method", "fit", "look"}


def test_an_address_with_somebodys_own_picture_says_that_it_does_not_travel(address: Address) -> None:
    address.update({"model": "digits", "image": OWN})
    assert state.current().image == for_model("digits")[0].id
    said = state.problems("address")[0]
    assert "own picture" in said
    assert for_model("digits")[0].title in said
    assert "upload the picture again" in said


def arrive(address: Address, words: dict[str, str], *, back: bool) -> None:
    """Begin a run with the address that the browser had when it asked."""
    address.clear()
    address.update(words)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(state, "get_script_run_ctx", lambda **_: SimpleNamespace(is_history_navigation=back))
        state.follow_address(PAGE)


def go(address: Address, words: dict[str, str]) -> None:
    """Come to an address by the browser's own arrows."""
    arrive(address, words, back=True)
    state.write_address(PAGE)


def test_back_and_forward_bring_the_views_of_then(address: Address) -> None:
    visited = []
    for words in ({"model": "digits"}, {"target": "class_logit(6)"}, {"method": "gradient_x_input()"}):
        state.follow_address(PAGE)
        state.change(**words)
        state.write_address(PAGE)
        visited.append((dict(address), state.current()))
    written = address.written
    for words, view in (visited[1], visited[0], visited[2], visited[0]):
        go(address, words)
        assert state.current() == view
        assert dict(address) == words
    assert address.written == written  # nothing is put over the way forward


def test_an_own_picture_is_still_there_when_its_owner_comes_back(address: Address) -> None:
    state.change(model="digits")
    state.st.session_state[OWN_KEY] = "the picture"
    state.change(image=OWN)
    state.write_address(PAGE)
    with_own = dict(address)
    state.change(image="digit_3")
    state.write_address(PAGE)
    go(address, with_own)
    assert state.current().image == OWN
    assert state.problems("address") == []


def test_a_question_on_its_way_while_the_address_is_written_is_no_way_back(address: Address) -> None:
    old = []
    for k in range(4):  # a busy browser hears of them late, and all at once
        state.change(target=f"class_logit({k})")
        state.write_address(PAGE)
        old.append(dict(address))
    for words in (*old, *reversed(old)):
        arrive(address, words, back=False)
        state.write_address(PAGE)
        assert state.current().target == "class_logit(3)"
        assert dict(address) == old[-1]


def test_a_model_opened_while_the_browser_lags_stays(address: Address) -> None:
    state.write_address(PAGE)
    first = dict(address)
    for model in ("digits", "template"):
        state.change(model=model)
        state.write_address(PAGE)
    arrive(address, first, back=False)  # two changes behind
    assert state.current().model == "template"


def test_another_page_keeps_the_view_and_the_way_back_stays_open(address: Address) -> None:
    state.change(model="digits")
    state.write_address(PAGE)
    view = state.current()
    address.clear()  # the menu leads to an address without words
    state.follow_address("lesson")
    state.write_address("lesson")
    assert (state.current(), address["model"]) == (view, "digits")
    written = address.written
    address.clear()  # one step back: the entry before the words
    state.follow_address("lesson")
    state.write_address("lesson")
    assert (state.current(), address.written) == (view, written)


def test_what_was_wrong_is_told_until_something_is_changed(address: Address) -> None:
    address["model"] = "nosuch"
    state.current()
    state.tell("picture", ["no picture"])
    for _ in range(3):  # a page draws itself anew when a computation ends
        assert len(state.problems("address")) == len(state.problems("picture")) == 1
    state.change(target="class_logit(1)")
    assert state.problems("address") == state.problems("picture") == []


@pytest.mark.parametrize("words", [{"model": "nosuch"}, {"fit": "x"}, {"target": "y("}, {"image": "z"}])
def test_a_change_that_cannot_be_leaves_the_view_alone(words: dict[str, Any]) -> None:
    before = state.current()
    with pytest.raises(SaliencyError):
        state.change(**words)
    assert state.current() == before


def test_a_view_of_plain_words_lives_in_the_session() -> None:
    state.current()
    assert all(type(word) is str for word in state.st.session_state[state.KEY].values())
    assert View(**state.st.session_state[state.KEY]) == state.current()


def test_a_question_too_long_for_an_address_is_left_out_of_it(address: Address) -> None:
    address["model"] = "digits"
    state.current()
    for length, there in ((100, True), (state.LONGEST, False)):
        rows = [[0, 0, 0, 1.0]] * (length // 10)
        state.change(target=f"output_seed({rows}, 'conv1')")
        state.write_address("explain")
        assert ("target" in address) == state.travels() == there
