"""Palettes read the same for everybody: even lightness, ends apart, zero in the exact middle."""

import subprocess
import sys

import numpy as np
import pytest

from saliency_core.errors import SettingError
from saliency_core.render.palettes import DIVERGING, SEQUENTIAL, palette, palettes
from tests.render.colour import VISION, apart, lab

every = pytest.mark.parametrize("found", palettes(), ids=lambda found: found.id)
sequential = pytest.mark.parametrize("found", palettes(SEQUENTIAL), ids=lambda found: found.id)
diverging = pytest.mark.parametrize("found", palettes(DIVERGING), ids=lambda found: found.id)
seen_by = pytest.mark.parametrize("vision", VISION)

RAINBOWS = ("jet", "hsv", "turbo", "rainbow", "gist_rainbow", "nipy_spectral")


def test_the_colour_science_knows_white_black_and_red():
    np.testing.assert_allclose(
        lab([[255, 255, 255], [0, 0, 0], [255, 0, 0]]),
        [[100, 0, 0], [0, 0, 0], [53.24, 80.09, 67.20]],
        atol=0.02,
    )


@every
def test_a_lut_is_read_only_bytes_of_the_size_of_its_family(found):
    assert found.lut.shape == ((256, 3) if found.family == SEQUENTIAL else (257, 3))
    assert found.lut.dtype == np.uint8
    assert not found.lut.flags.writeable
    assert palette(found.id) is found


@sequential
@seen_by
def test_lightness_runs_one_way(found, vision):
    steps = np.diff(lab(found.lut, vision)[:, 0])
    # One grey level is up to 0.4 of L*; a step back of 0.15 is rounding to bytes, not a visible band.
    assert (steps * np.sign(steps.sum())).min() > -0.15
    assert abs(steps.sum()) > 70


@diverging
@seen_by
def test_both_arms_run_one_way_from_the_neutral_middle(found, vision):
    lightness = lab(found.lut, vision)[:, 0]
    down, up = np.diff(lightness[128::-1]), np.diff(lightness[128:])
    way = np.sign(down.sum())
    assert (down * way).min() > -0.15
    assert (up * way).min() > -0.15


@diverging
@seen_by
@pytest.mark.parametrize("step", [64, 96, 128])
def test_opposite_signs_stay_apart(found, vision, step):
    seen = lab(found.lut, vision)
    assert apart(seen[128 - step], seen[128 + step]) > 30  # 13 times what is just noticeable


@diverging
def test_the_middle_is_exactly_gray(found):
    assert len(set(found.lut[128].tolist())) == 1
    assert apart(lab(found.lut)[127], lab(found.lut)[129]) < 5


@every
def test_no_rainbow(found):
    from matplotlib import colormaps

    assert found.id not in RAINBOWS
    for name in RAINBOWS:
        rainbow = colormaps[name](np.linspace(0, 1, len(found.lut)))[:, :3] * 255
        assert np.abs(rainbow - found.lut).mean() > 30


def test_lightness_test_would_catch_a_rainbow():
    from matplotlib import colormaps

    steps = np.diff(lab(colormaps["jet"](np.arange(256))[:, :3] * 255)[:, 0])
    assert (steps * np.sign(steps.sum())).min() < -0.15


def test_an_unknown_palette_is_refused_with_the_list():
    with pytest.raises(SettingError, match=r"'jet'.*inferno"):
        palette("jet")


def test_matplotlib_is_loaded_only_for_its_own_palettes():
    asked = (
        "import sys; from saliency_core.render.compose import render; "
        "from saliency_core.render.palettes import palette; palette('blue_orange').lut; "
        "sys.exit('matplotlib' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", asked], check=False).returncode == 0
