"""Tables of what can be chosen: entered by a decorator, found by an id that never changes."""

from __future__ import annotations

import dataclasses

import pytest

from saliency_core import registry
from saliency_core.errors import SettingError
from saliency_core.registry import Registered, lookup, register, table
from saliency_core.spec import Integer, param


@pytest.fixture
def fruits(monkeypatch):
    monkeypatch.setattr(registry, "_TABLES", {})

    @register("fruit", "apple", title="Apple", cites=("newton1687",))
    class Apple(Registered):
        """Falls down."""

        seeds: int = param(Integer(5, low=0))

    @register("fruit", "quince", title="Quince", hidden=True)
    class Quince(Registered):
        """Is eaten cooked.

        Second paragraph.
        """

    return Apple, Quince


def test_entries_are_found_by_id_in_order(fruits):
    assert table("fruit") == dict(zip(("apple", "quince"), fruits, strict=True))
    assert lookup("fruit", "apple") is fruits[0]


def test_facts_become_attributes_and_the_class_a_frozen_dataclass(fruits):
    apple = fruits[0]()
    assert (apple.family, apple.id, apple.title, apple.cites) == ("fruit", "apple", "Apple", ("newton1687",))
    assert apple == fruits[0](seeds=5)
    assert hash(apple) == hash(fruits[0](seeds=5))
    with pytest.raises(dataclasses.FrozenInstanceError):
        apple.seeds = 3


def test_summary_is_the_first_line(fruits):
    assert [cls.summary() for cls in fruits] == ["Falls down.", "Is eaten cooked."]


def test_an_unknown_id_is_refused_with_what_is_offered(fruits):
    with pytest.raises(SettingError) as caught:
        lookup("fruit", "pear")
    assert "There is no fruit 'pear'" in caught.value.problem
    assert caught.value.hint == "Write apple(seeds=5)."


def test_one_id_belongs_to_one_class(fruits):
    with pytest.raises(RuntimeError, match="apple"):
        register("fruit", "apple", title="Other")(type("Pear", (Registered,), {}))


def test_a_copy_of_a_table_changes_nothing(fruits):
    table("fruit").clear()
    assert len(table("fruit")) == 2


@pytest.mark.parametrize("family", ["method", "target", "preprocessing", "look"])
def test_families_fill_themselves(family):
    for id, cls in table(family).items():
        assert id == cls.id == id.lower()
        assert cls.family == family
        assert dataclasses.is_dataclass(cls)
        assert cls.title
        assert cls.summary().endswith(".")
