"""The table of what methods cost: written by a script over the registry."""

import re
from pathlib import Path

import pytest

from benchmarks import methods
from saliency_core.registry import table

ROOT = Path(__file__).parents[2]
DOCS = (ROOT / "docs" / "methods.md").read_text(encoding="utf-8")


def test_the_table_has_its_place_and_names_registered_methods_alone():
    _, _, rest = DOCS.partition(methods.OPENING)
    body, ended, _ = rest.partition(methods.CLOSING)
    named = re.findall(r"^\| `(\w+)` \|", body, re.M)
    assert ended
    assert set(named) <= set(table("method"))


def test_writing_the_table_anew_leaves_the_words_around_it():
    written = methods.placed(DOCS, "| new |\n")
    assert methods.placed(written, DOCS.partition(methods.OPENING)[2].partition(methods.CLOSING)[0]) == DOCS
    with pytest.raises(ValueError, match="costs"):
        methods.placed("no table", "")


def test_a_method_that_gives_no_map_has_no_numbers():
    assert methods.Cost(refused="It has no layers.").cells() == ("-", "-")
    assert methods.Cost(170, 1.234).cells() == ("170", "1.2")
    assert methods.Cost(1, 0.0312).cells() == ("1", "0.031")
