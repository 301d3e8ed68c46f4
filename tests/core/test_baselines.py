"""Baselines: what they are, in raw pixels, and how a picture of the user's comes in by its digest."""

from __future__ import annotations

import numpy as np
import pytest

from saliency_core import explain
from saliency_core.baselines import Blurred, Noise, Picture, on_picture, pictures_in, with_pictures
from saliency_core.errors import SettingError
from saliency_core.gallery import gallery
from saliency_core.grammar import parse
from saliency_core.images import fit, read_image
from saliency_core.registry import table
from tests.analytic import points
from tests.core.test_explanation import IMAGE, SHAPE, paper

EVERY = [cls() for cls in table("baseline").values()]
OTHER = np.random.default_rng(8).integers(0, 256, SHAPE, dtype=np.uint8)
IG = "integrated_gradients(steps=4, baseline={})"


@pytest.mark.parametrize("baseline", EVERY, ids=str)
def test_raw_pixels_of_the_image_s_shape_and_a_row_is_what_it_is_alone(baseline):
    batch = points(2, SHAPE)
    found = baseline.of(batch)
    assert (found.shape, found.dtype) == (batch.shape, np.float32)
    assert found.min() >= 0
    assert found.max() <= 255
    for row in range(2):
        assert np.array_equal(found[row], baseline.of(batch[row : row + 1])[0])


@pytest.mark.parametrize("baseline", EVERY, ids=str)
def test_spelled_and_read_back(baseline):
    assert parse("baseline", baseline.spelling) == baseline
    assert parse("method", IG.format(baseline.spelling)).baseline == baseline


@pytest.mark.parametrize(("text", "level"), [("black()", 0), ("white()", 255)])
def test_black_and_white(text, level):
    assert (parse("baseline", text).of(points(1, SHAPE)) == level).all()


def test_the_mean_colour_is_the_mean_of_each_channel():
    batch = points(1, SHAPE)
    found = parse("baseline", "mean()").of(batch)[0]
    assert np.array_equal(found[0, 0], batch[0].mean((0, 1), dtype=np.float64).astype(np.float32))
    assert (found == found[0, 0]).all()


def test_a_blur_keeps_a_flat_image_and_makes_any_other_flatter():
    flat = np.full((1, *SHAPE), 90, np.float32)
    assert np.allclose(Blurred(3.0).of(flat), flat, rtol=1e-6)
    spreads = [Blurred(sigma).of(points(1, SHAPE)).std() for sigma in (0.5, 1.0, 2.0, 4.0)]
    assert spreads == sorted(spreads, reverse=True)


def test_a_blur_does_not_mix_channels():
    batch = points(1, SHAPE)
    batch[..., 1] = 0
    assert not Blurred(2.0).of(batch)[..., 1].any()


def test_noise_comes_from_its_seed():
    batch = points(1, SHAPE)
    assert np.array_equal(Noise(4).of(batch), Noise(4).of(batch))
    assert not np.array_equal(Noise(4).of(batch), Noise(5).of(batch))


def test_a_picture_of_the_gallery_is_brought_to_the_size():
    found = Picture("coffee").of(points(1, SHAPE))[0]
    coffee = next(one for one in gallery() if one.id == "coffee")
    assert np.array_equal(found, fit(read_image(coffee.read()), *SHAPE))


@pytest.mark.parametrize("name", ["../gallery.json", "/etc/passwd", "coffee.jpg", "nowhere"])
def test_no_name_reaches_a_file(name):
    with pytest.raises(SettingError, match="no picture"):
        Picture(name).of(points(1, SHAPE))


def test_who_misses_a_picture_is_told_how_to_bring_it_on_a_page_and_in_python():
    with pytest.raises(SettingError) as caught:
        Picture("nowhere").of(points(1, SHAPE))
    assert "upload it on the page" in caught.value.hint
    assert "in Python explain(" in caught.value.hint
    assert gallery()[0].id in caught.value.hint


def test_a_picture_handed_over_is_named_by_its_digest_and_used():
    method = IG.format("picture('mine')")
    made = explain(paper(), IMAGE, "class_logit(2)", method, pictures={"mine": OTHER})
    digest = read_image(OTHER).digest
    assert made.recipe["method"] == parse("method", IG.format(f"picture('{digest}')")).spelling
    again = explain(paper(), IMAGE, "class_logit(2)", made.recipe["method"], pictures={digest: OTHER})
    assert np.array_equal(made.values, again.values)
    probe = paper()._probe
    whole = probe.score(IMAGE[None]) - probe.score(OTHER[None])
    assert made.facts["whole"] == whole[0]


def test_a_picture_reaches_a_base_two_levels_down():
    text = "smoothgrad(samples=2, noise=0, base=integrated_gradients(steps=4, baseline=picture('a')))"
    deep = explain(paper(), IMAGE, "class_logit(2)", text, pictures={"a": OTHER})
    plain = explain(
        paper(), IMAGE, "class_logit(2)", IG.format("picture('a')"), pictures={"a": OTHER, "b": IMAGE}
    )
    assert np.array_equal(deep.values, plain.values)
    assert pictures_in(parse("method", text)) == ("a",)


def test_without_its_pixels_a_picture_is_refused():
    with pytest.raises(SettingError, match="no picture 'mine'"):
        explain(paper(), IMAGE, "class_logit(2)", IG.format("picture('mine')"))


def test_pixels_of_another_size_are_refused():
    with pytest.raises(SettingError, match="where the image is"):
        Picture("a", np.zeros((2, 2, 3), np.float32)).of(points(1, SHAPE))


def test_any_baseline_can_be_exchanged_for_a_picture():
    method = parse("method", f"smoothgrad(base={IG.format('white()')})")
    assert on_picture(method, "a").base.baseline == Picture("a")
    with pytest.raises(SettingError, match="no baseline"):
        on_picture(parse("method", "gradient()"), "a")


EG = "expected_gradients(samples=40, baselines='named', names={!r})"


def test_expected_gradients_of_pictures_that_are_handed_over():
    pictures = {"one": OTHER, "two": IMAGE}
    made = explain(paper(), IMAGE, "class_logit(2)", EG.format("one, two"), pictures=pictures)
    digests = [read_image(one).digest for one in pictures.values()]
    assert made.recipe["method"] == parse("method", EG.format(", ".join(digests))).spelling
    again = dict(zip(digests, pictures.values(), strict=True))
    given = explain(paper(), IMAGE, "class_logit(2)", made.recipe["method"], pictures=again)
    assert np.array_equal(made.values, given.values)
    longer = made.recipe["method"].replace("samples=40", "samples=60")
    on = explain(paper(), IMAGE, "class_logit(2)", longer, pictures=again, resume=made)
    whole = explain(paper(), IMAGE, "class_logit(2)", longer, pictures=again)
    assert on.values.tobytes() == whole.values.tobytes()


def test_expected_gradients_draw_from_the_pictures_named_and_no_others():
    pixels = {"a": (64 * "a", np.zeros(SHAPE, np.float32)), "b": (64 * "b", np.full(SHAPE, 9, np.float32))}
    method = with_pictures(parse("method", EG.format("a, b")), pixels)
    assert {float(method.pair(sample, SHAPE)[1].mean()) for sample in range(40)} == {0.0, 9.0}
    alone = with_pictures(parse("method", EG.format("b")), pixels)
    assert alone.pair(3, SHAPE)[1].mean() == 9
    assert alone.pair(3, SHAPE)[0] == method.pair(3, SHAPE)[0]


def test_the_pictures_of_expected_gradients_are_told_where_they_are_used():
    assert pictures_in(parse("method", EG.format("a,b , c"))) == ("a", "b", "c")
    assert pictures_in(parse("method", f"smoothgrad(base={EG.format('a')})")) == ("a",)
    assert pictures_in(parse("method", "expected_gradients()")) == ()


def test_expected_gradients_without_names_or_pixels_are_refused():
    with pytest.raises(SettingError, match="name no picture"):
        parse("method", EG.format(" , "))
    with pytest.raises(SettingError, match="no picture 'mine'"):
        explain(paper(), IMAGE, "class_logit(2)", EG.format("chelsea, mine"))


def test_expected_gradients_can_be_given_one_picture_more():
    one = on_picture(parse("method", "expected_gradients()"), "a")
    assert pictures_in(one) == ("a",)
    assert pictures_in(on_picture(one, "b")) == ("a", "b")
