"""Figures for print: the same bytes every time, and foreign text drawn letter by letter."""

import sys
import threading
from types import SimpleNamespace
from xml.etree import ElementTree

import numpy as np
import pytest

from saliency_core.errors import SettingError
from saliency_core.render.figures import FORMATS, figure, figure_bytes, plain
from saliency_core.render.look import Look

NASTY = "$x_1^2$ </text><script>alert(1)</script> & \\frac{1}{2} $"


def answer(height=6, width=8, **facts):
    values = np.random.default_rng(3).normal(size=(height, width, 3)).astype(np.float32)
    known = {
        "values": values,
        "units": "logit per grey level",
        "score": 9.1234,
        "kind": "sensitivity",
        "recipe": {"image": "seven.png", "image_sha256": "0123456789abcdef" * 4, "method": "gradient()"},
    }
    return SimpleNamespace(**{**known, **facts})


def drawn(look=None, title="", height=6, width=8, **facts):
    image = np.full((height, width, 3), 90, np.uint8)
    return figure(answer(height, width, **facts), image, look or Look(), title)


def svg_texts(made):
    root = ElementTree.fromstring(figure_bytes(made, "svg"))
    return ["".join(found.itertext()) for found in root.iter("{http://www.w3.org/2000/svg}text")]


@pytest.mark.parametrize("format", FORMATS)
def test_the_same_figure_gives_the_same_bytes(format):
    first = figure_bytes(drawn(title="seven"), format)
    assert first == figure_bytes(drawn(title="seven"), format)
    assert first.startswith({"pdf": b"%PDF", "svg": b"<?xml", "png": b"\x89PNG"}[format])
    if format == "pdf":
        assert b"CreationDate" not in first
    if format == "svg":
        assert b"dc:date" not in first


def test_foreign_text_stays_text():
    texts = svg_texts(drawn(title=NASTY, units=NASTY, recipe={"image": NASTY}))
    assert NASTY in texts  # the title, letter by letter
    assert texts.count(NASTY) == 2  # and the unit
    assert any("image $x_1^2$ </text><script>" in text for text in texts)


def test_the_figure_says_what_it_shows():
    texts = " ".join(svg_texts(drawn(Look.for_kind("contribution"), "Seven")))
    for told in (
        "Seven",
        "logit per grey level",
        "score 9.12",
        "sensitivity",
        "image seven.png",
        "image sha256 0123456789ab ",
        "method gradient()",
        "sign='signed'",
        "of the pixels lie beyond the scale.",
    ):
        assert told in texts
    assert "0123456789abc" not in texts


def test_a_recipe_may_be_plain_text():
    assert "gradient() of class 3" in " ".join(svg_texts(drawn(recipe="gradient() of class 3")))


@pytest.mark.parametrize(("height", "width"), [(1, 300), (300, 1), (1, 1)])
def test_any_shape_of_image(height, width):
    made = drawn(height=height, width=width)
    assert svg_texts(made)
    assert 2 < made.get_figheight() < 8


def test_an_endless_recipe_is_cut():
    long = drawn(recipe={f"part {n}": "weights " * 30_000 for n in range(40)})
    assert long.get_figheight() < 6
    assert "…" in " ".join(svg_texts(long))


def test_gray_images_and_flat_maps():
    made = figure(
        answer(values=np.zeros((6, 8, 1), np.float32)), np.zeros((6, 8, 1), np.uint8), Look(sign="signed")
    )
    assert "Every value is exactly 0" in " ".join(svg_texts(made))


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("two\nlines\tand  gaps", "two lines and gaps"),
        ("nul\x00 bell\x07", "nul\ufffd bell\ufffd"),
        ("half\ud800", "half\ufffd"),
        ("turn\u202eround", "turn\ufffdround"),
        ("Größe 大きさ", "Größe 大きさ"),
    ],
)
def test_unprintable_letters_are_replaced(text, shown):
    assert plain(text) == shown


def test_other_formats_are_refused():
    with pytest.raises(SettingError, match=r"'eps'.*pdf, svg, png"):
        figure_bytes(drawn(), "eps")


def test_threads_do_not_disturb_each_other():
    from matplotlib import rcParams

    alone, together = figure_bytes(drawn(), "svg"), {}
    before = rcParams["svg.hashsalt"], rcParams["pdf.fonttype"]

    def save(at):
        together[at] = figure_bytes(drawn(), "svg")

    threads = [threading.Thread(target=save, args=(at,)) for at in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert together == {0: alone, 1: alone}
    assert (rcParams["svg.hashsalt"], rcParams["pdf.fonttype"]) == before


def test_no_pyplot_is_involved(monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib.pyplot", None)  # importing it now raises ImportError
    assert figure_bytes(drawn(), "svg")
