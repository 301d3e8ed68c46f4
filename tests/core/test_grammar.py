"""Spellings parse back, and nothing that a stranger writes is ever run."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from saliency_core import targets
from saliency_core.errors import SettingError
from saliency_core.grammar import parse
from saliency_core.registry import DEEPEST, table

small = st.integers(0, 5000)
names = st.text(min_size=1, max_size=40)
weight = st.floats(-1e6, 1e6, allow_nan=False).filter(lambda x: x != 0)
plain_targets = st.one_of(
    st.just(targets.TopClass()),
    st.builds(targets.ClassLogit, small),
    st.builds(targets.ClassProbability, small),
    st.builds(targets.ClassDifference, small, small),
    st.builds(targets.LayerUnit, names, small, small, small),
    st.builds(targets.LayerChannel, names, small, st.sampled_from(["mean", "sum", "max", "activation"])),
    st.builds(
        targets.OutputSeed,
        st.lists(st.tuples(small, small, weight), min_size=1, max_size=4).map(
            lambda rows: [list(r) for r in rows]
        ),
        names,
    ),
)


@given(plain_targets)
def test_target_spelling_parses_back(target):
    assert parse("target", target.spelling) == target


@given(plain_targets, plain_targets, weight)
def test_arithmetic_spelling_parses_back(one, two, factor):
    total = factor * one - two
    assert parse("target", total.spelling) == total


@pytest.mark.parametrize(
    "text",
    [
        "", "(", "class_logit", "class_logit()", "class_logit(-1)", "class_logit(1.5)", "class_logit('3')",
        "class_logit(True)", "class_logit(1, 2)", "class_logit(index=1, index=2)", "class_logit(banana=1)",
        "nothing(1)", "__import__('os').system('true')", "class_logit(__import__('os'))", "lambda: 1", "1 + 1",
        "class_logit(1) * class_logit(2)", "class_logit(1)/0", "class_logit(1) + 1", "class_logit.__class__",
        "class_logit(**{'index': 1})", "[class_logit(1)]", "(" * 5000, "-" * 5000 + "class_logit(1)",
        "class_logit(" + "9" * 5000 + ")", "layer_unit('')", "output_seed([])", "output_seed([[1, 2, None]])",
        "output_seed([[0.5, 1.0]])", "class_logit(1)\0", "classe_logit(１)", "x" * 300_000,
    ],
)  # fmt: skip
def test_what_cannot_be_read_is_refused_in_one_sentence(text):
    with pytest.raises(SettingError) as caught:
        parse("target", text)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 600


def test_a_method_cannot_be_added_to_another():
    with pytest.raises(SettingError, match="added or scaled"):
        parse("method", "gradient() + gradient()")


def test_every_menu_has_titles_and_one_sentence():
    for family in ("method", "target", "preprocessing", "look"):
        for cls in table(family).values():
            assert cls.title
            assert cls.summary().endswith("."), cls


def test_a_dense_seed_has_a_short_spelling_that_parses_back():
    dense = np.zeros((4, 4, 1))
    dense[1, 1, 0] = 1.0
    seed = targets.OutputSeed(dense)
    assert seed == targets.OutputSeed(dense.astype(np.float32)) == parse("target", seed.spelling)
    assert seed.spelling.startswith("output_seed(weights='4x4x1[0]:")


def test_methods_lie_one_in_another_to_a_bound():
    def nested(times):
        return "smoothgrad(" * times + "gradient()" + ")" * times

    assert parse("method", nested(DEEPEST - 1)).base.base.base.base == parse("method", "gradient()")
    for times in (DEEPEST, 50, 150):
        with pytest.raises(SettingError, match="one in another"):
            parse("method", nested(times))
