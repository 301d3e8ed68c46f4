"""Plain data becomes the dataclasses that it was made of, or is refused; nothing in it is ever run."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import pytest

from saliency_core.engine.compiled import Form
from saliency_core.engine.inspect import Anatomy, FirstConvolution
from saliency_core.models.anatomy import Field, Head, Layer, Norm, Rectifier, Signs, Span
from saliency_core.models.description import Choices, Description, Place, Port
from saliency_core.models.model import Card
from saliency_core.revive import revive

FIELD = Field(Span(-1.0, 1.0, 2.0), Span(0.0, 2.5, 1.0))
LAYER = Layer("conv", "conv:0", (8, 6, 4), "Conv2D", FIELD)
SIGNS = Signs(
    (Rectifier("relu", "relu:0", 6.0), Rectifier("other", "other:0")),
    (("cut", "Round"),),
    True,
    ("dropout",),
    ("norm",),
    (("kernel", 3, 0),),
    (("act", "Custom-1"),),
    Norm("norm", "norm:0", (0.5, 1.0), (1.0, 2.0), 1e-3),
)
ANATOMY = Anatomy(
    Head("softmax", "logits:0", "out:0", 5, "input of the softmax"),
    (LAYER, Layer("mean", "mean:0", (4,), "Mean")),
    {"conv:0": (8, 6, 4), "mean:0": (4,), "sum:0": ()},
    {"Conv2D": 1},
    {"conv:0": FIELD, "mean:0": Field()},
    112,
    200,
    FirstConvolution("conv", "kernel", "pixels:0", (1, 1, 1, 1), "SAME"),
    0,
    SIGNS,
)
DESCRIPTION = Description(
    "TensorFlow graph",
    (Port("x", (None, 8, 6, 3), "float32"), Port("rate", None, "float32")),
    (Port("out", (None, 5), "float32"),),
    "out",
    "serving_default",
    {"rate": 0.5, "flags": [True, False]},
    (Place("x", 0, 0, 8, 6, 3),),
    1,
    {"Relu": 2},
    "divides by 255",
    ("dropout",),
    ("swish",),
    ("half", "serving_default"),
)
CARD = Card(
    "mine", "Mine", "", (8, 6, 3), 5, "softmax", "unit()", 112, 7, 2, "0" * 64, ("cat", "dog"),
    ({"of": "accuracy", "value": 0.5},), "MIT", "me", True, ("a notice",), DESCRIPTION,
)  # fmt: skip
CHOICES = Choices("unit()", (8, 6), "serving_default", "x:0", 2, {"rate": 0.5})
ALL = (
    ANATOMY, CARD, CHOICES, DESCRIPTION, LAYER, SIGNS, Signs(), Choices(), Choices(output="out"), FIELD, Field(),
    Form("gradient", ("logits:0",), 25, "", "guided", True),
)  # fmt: skip


def told(thing: Any) -> Any:
    """The thing as it arrives over a pipe."""
    return json.loads(json.dumps(asdict(thing)))


@pytest.mark.parametrize("thing", ALL, ids=lambda thing: type(thing).__name__)
def test_what_was_told_comes_back(thing: Any) -> None:
    again = revive(type(thing), told(thing))
    assert again == thing
    assert told(again) == told(thing)


@pytest.mark.engine
def test_a_real_anatomy_and_card_come_back() -> None:
    from saliency_core import open_model

    model = open_model("digits")
    assert revive(Card, told(model.card)) == model.card
    anatomy = model._compiled.anatomy
    assert revive(Anatomy, told(anatomy)) == anatomy
    assert revive(Signs, told(model.signs)) == model.signs


def test_lists_become_tuples_and_whole_numbers_floats() -> None:
    field = revive(Field, {"rows": {"first": -1, "last": 1, "step": 2}, "cols": None})
    assert field == Field(Span(-1.0, 1.0, 2.0))
    assert type(field.rows.first) is float
    assert type(revive(Layer, told(LAYER)).shape) is tuple


def paths(data: Any, above: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """The way to every value in plain data."""
    inner = data.items() if isinstance(data, dict) else enumerate(data) if isinstance(data, list) else ()
    return [above, *(path for key, value in inner for path in paths(value, (*above, key)))]


def changed(data: Any, path: tuple[Any, ...], value: Any) -> Any:
    """A copy of plain data in which one value is another."""
    if not path:
        return value
    copy = dict(data) if isinstance(data, dict) else list(data)
    copy[path[0]] = changed(data[path[0]], path[1:], value)
    return copy


def free(path: tuple[Any, ...]) -> bool:
    """Whether a place may hold anything: what a model holds fixed, and measured facts."""
    return any(name in ("held", "others") for name in path[:-1]) or ("measured" in path and len(path) > 2)


class Strange:
    """No plain data; it would tell if anybody made it text or looked inside."""

    def __repr__(self) -> str:
        raise AssertionError("somebody asked what it is")

    __str__ = __iter__ = __len__ = __repr__


@pytest.mark.parametrize("thing", [ANATOMY, CARD, CHOICES, SIGNS], ids=lambda thing: type(thing).__name__)
def test_a_value_of_no_known_type_is_refused_wherever_it_stands(thing: Any) -> None:
    data = told(thing)
    asked = [path for path in paths(data) if not free(path)]
    assert len(asked) >= 5
    for path in asked:
        for wrong in (Strange(), b"bytes", {1}):
            with pytest.raises(TypeError):
                revive(type(thing), changed(data, path, wrong))


@pytest.mark.parametrize("thing", [ANATOMY, CARD, SIGNS], ids=lambda thing: type(thing).__name__)
def test_truth_for_a_number_and_a_number_for_truth_are_refused(thing: Any) -> None:
    data = told(thing)
    for path in paths(data):
        value = data
        for key in path:
            value = value[key]
        wrong = {bool: 1, int: True, float: True}.get(type(value))
        if wrong is not None and not free(path):
            with pytest.raises(TypeError):
                revive(type(thing), changed(data, path, wrong))


@pytest.mark.parametrize("thing", ALL, ids=lambda thing: type(thing).__name__)
@pytest.mark.parametrize("key", ["extra", "__class__", "__dict__", "spatial", "from_json"])
def test_a_key_that_nobody_knows_is_refused(thing: Any, key: str) -> None:
    with pytest.raises(TypeError):
        revive(type(thing), {**told(thing), key: 1})


def test_a_key_that_is_missing_is_refused() -> None:
    for key in told(LAYER).keys() - {"field"}:
        with pytest.raises(TypeError):
            revive(Layer, {name: value for name, value in told(LAYER).items() if name != key})


@pytest.mark.parametrize(
    ("kind", "data"),
    [
        (tuple[int, int, int], [1, 2]),
        (tuple[int, int, int], [1, 2, 3, 4]),
        (tuple[str, str], []),
        (tuple[int, ...], "12"),
        (tuple[int, ...], {"0": 1}),
        (tuple[int, ...], [1, 2.0]),
        (tuple[int, ...], [True]),
        (dict[str, int], [["a", 1]]),
        (dict[str, int], {1: 1}),
        (dict[str, int], {"a": None}),
        (Mapping[str, int], {"a": "1"}),
        (str | int, 1.5),
        (str | int, True),
        (str | None, 0),
        (int | None, False),
        (int, "1"),
        (int, 1.0),
        (str, b"a"),
        (str, None),
        (bool, 0),
        (float, True),
        (float, "1.0"),
        (float, None),
        (float, 10**400),
        (int, 10.0**300),
        (type(None), 0),
        (Layer, []),
        (Layer, "Layer"),
        (Layer, None),
        (bytes, "a"),
        (list[int], [1]),
    ],
    ids=str,
)
def test_data_of_another_shape_is_refused(kind: Any, data: Any) -> None:
    with pytest.raises(TypeError):
        revive(kind, data)


def test_the_longest_number_is_refused_like_any_other() -> None:
    with pytest.raises(TypeError):
        revive(str, 10**6000)


def test_nothing_in_it_is_run(tmp_path: Path) -> None:
    marker = tmp_path / "marker"
    code = f"__import__('pathlib').Path({str(marker)!r}).touch()"
    again = revive(Layer, changed(told(LAYER), ("name",), code))
    assert again.name == code
    for data in (code, [code], {"__reduce__": code}, {"name": {"$eval": code}}):
        with pytest.raises(TypeError):
            revive(Layer, data)
    assert not marker.exists()
    assert os.listdir(tmp_path) == []


def test_a_class_with_an_eager_constructor_gets_checked_values_only() -> None:
    made = []

    @dataclass(frozen=True)
    class Eager:
        number: int

        def __post_init__(self) -> None:
            made.append(self.number)

    with pytest.raises(TypeError):
        revive(Eager, {"number": "7"})
    assert made == []
    assert revive(Eager, {"number": 7}) == Eager(7)
    assert made == [7, 7]
