"""A look refuses what would lie, and always spells the colours it means."""

import dataclasses

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from saliency_core.errors import SettingError
from saliency_core.grammar import parse, spell
from saliency_core.registry import table
from saliency_core.render.look import Look
from saliency_core.render.palettes import palette
from saliency_core.spec import Choice, specs

REDUCTIONS = specs(Look)["reduce"].options
SIGNS = specs(Look)["sign"].options
PALETTES = specs(Look)["palette"].options
real = pytest.mark.parametrize("sign", SIGNS)


@st.composite
def looks(draw):
    sign = draw(st.sampled_from(SIGNS))
    plain = Look().with_sign(sign)
    return Look(
        reduce=draw(st.sampled_from(REDUCTIONS if sign == "magnitude" else ("max_abs", "sum", "channel"))),
        channel=draw(st.integers(0, 11)),
        sign=sign,
        clip=draw(st.floats(50, 100)),
        limit=draw(st.floats(0, 1e30)),
        palette=draw(st.sampled_from(plain.fitting_palettes)),
        opacity=draw(st.floats(0, 1)),
        threshold=draw(st.floats(0, 1)),
    )


@settings(max_examples=25)
@given(looks())
def test_a_spelling_parses_back(look):
    assert parse("look", spell(look)) == look


def test_the_table_offers_it():
    assert table("look") == {"look": Look}


def test_auto_becomes_a_palette_by_name():
    assert Look().palette == "inferno"
    assert Look(sign="signed").palette == "blue_orange"
    assert "auto" not in spell(Look())


@real
@pytest.mark.parametrize("id", [id for id in PALETTES if id != "auto"])
def test_a_palette_of_the_wrong_family_is_refused(sign, id):
    if (palette(id).family == "diverging") == (sign == "signed"):
        assert Look(sign=sign, palette=id).palette == id
    else:
        with pytest.raises(SettingError, match=id):
            Look(sign=sign, palette=id)


@pytest.mark.parametrize("sign", ["signed", "positive", "negative"])
def test_a_norm_has_no_sign(sign):
    with pytest.raises(SettingError, match="L2"):
        Look(reduce="l2", sign=sign)


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("reduce", "mean"),
        ("sign", "both"),
        ("clip", 49.9),
        ("clip", 100.1),
        ("palette", "jet"),
        ("opacity", -0.01),
        ("opacity", float("nan")),
        ("threshold", 1.01),
        ("limit", -1.0),
        ("channel", -1),
    ],
)
def test_settings_out_of_range_are_refused_by_name(setting, value):
    with pytest.raises(SettingError, match=f"look: {setting}"):
        Look(**{setting: value})


def test_kinds_start_with_what_suits_them():
    assert Look.for_kind("sensitivity") == Look(reduce="max_abs", sign="signed")
    assert Look.for_kind("contribution") == Look(reduce="sum", sign="signed")
    assert Look.for_kind("region") == Look(reduce="sum", sign="positive", clip=100)
    with pytest.raises(SettingError, match="kind"):
        Look.for_kind("heat")


@settings(max_examples=25)
@given(looks(), st.sampled_from(SIGNS))
def test_any_sign_can_be_switched_to(look, sign):
    turned = look.with_sign(sign)
    assert turned.sign == sign
    if look.fitting_palettes == turned.fitting_palettes:
        assert turned.palette == look.palette
    kept = {"clip", "limit", "opacity", "threshold"}
    assert all(getattr(turned, name) == getattr(look, name) for name in kept)


@settings(max_examples=25)
@given(looks(), st.sampled_from(REDUCTIONS))
def test_any_reduction_can_be_switched_to(look, reduce):
    turned = look.with_reduce(reduce, channel=2)
    assert turned.reduce == reduce
    assert turned.channel == (2 if reduce == "channel" else 0)
    assert turned.sign == ("magnitude" if reduce == "l2" else look.sign)


def test_a_channel_counts_only_where_one_is_shown():
    assert Look(channel=2) == Look(channel=0)
    assert Look(reduce="channel", channel=2) != Look(reduce="channel", channel=0)


def test_every_setting_explains_itself():
    for name, spec in specs(Look).items():
        assert spec.help.endswith("."), name
        assert spec.title, name
        if isinstance(spec, Choice):
            assert len(spec.titles) == len(spec.options)
            assert len(set(spec.titles)) == len(spec.titles)


def test_looks_are_frozen():
    with pytest.raises(dataclasses.FrozenInstanceError):
        Look().opacity = 0.5
