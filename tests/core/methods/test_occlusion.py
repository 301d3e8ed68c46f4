import numpy as np
import pytest

from saliency_core.baselines import Black, Mean, White
from saliency_core.masking import hidden
from saliency_core.methods.occlusion import Occlusion
from saliency_core.probe import counted
from tests.analytic import LinearProbe, StepProbe, points, weights

SHAPE = (23, 31, 3)


def by_hand(method, given, point):
    """The drop of every window on its own, on a linear score, averaged pixel by pixel."""
    height, width = point.shape[:2]
    share = (given * (point - hidden(point, method.baseline).astype(np.float64))).sum(-1)
    drops, cover = np.zeros((height, width)), np.zeros((height, width))
    for rows, columns in method.windows(height, width):
        drops[rows, columns] += share[rows, columns].sum()
        cover[rows, columns] += 1
    assert cover.min() >= 1
    return drops / cover


@pytest.mark.parametrize("baseline", [Black(), White(), Mean()])
@pytest.mark.parametrize(("window", "stride"), [(0, 0), (5, 2), (6, 6), (16, 8), (1, 1), (200, 0)])
def test_a_linear_score_falls_by_what_the_window_hides(window, stride, baseline):
    method, given, batch = Occlusion(window, stride, baseline), weights(SHAPE), points(2, SHAPE)
    if baseline == Mean():  # a mean that float32 holds, so that every sum is exact
        batch[:] = np.where(batch > 127, 192, 64)
        batch[:, 0::2], batch[:, 1::2] = 192, 64
        batch[:, -1, 0::2], batch[:, -1, 1::2], batch[:, -1, -1] = 192, 64, 128
    found = method.attribute(LinearProbe(given), batch)
    for one, point in zip(found, batch, strict=True):
        assert np.array_equal(one, by_hand(method, given, point).astype(np.float32))


@pytest.mark.parametrize("size", [(4, 4), (28, 28), (224, 224), (23, 31), (64, 17)])
@pytest.mark.parametrize(("window", "stride"), [(0, 0), (5, 3), (16, 8), (7, 200)])
def test_windows_cover_every_pixel_and_stay_inside(size, window, stride):
    cover = np.zeros(size, int)
    windows = Occlusion(window, stride).windows(*size)
    for rows, columns in windows:
        assert 0 <= rows.start < rows.stop <= size[0]
        assert 0 <= columns.start < columns.stop <= size[1]
        cover[rows, columns] += 1
    assert cover.min() >= 1
    assert len({(rows.start, columns.start) for rows, columns in windows}) == len(windows)


def test_the_usual_window_and_stride_on_a_photo():
    assert len(Occlusion(16, 8).windows(224, 224)) == 27 * 27
    assert Occlusion(16, 8).cost == 27 * 27 + 1


def test_a_quarter_of_the_windows_is_already_a_whole_map():
    """Coarse to fine: the first quarter lies at twice the distance, and so on."""
    windows = Occlusion(16, 8).windows(120, 120)
    corners = [(rows.start, columns.start) for rows, columns in windows]
    per_side = 14
    coarse = {(y, x) for y in range(0, 105, 16) for x in range(0, 105, 16)}
    assert set(corners[: len(coarse)]) == coarse
    assert len(corners) == per_side**2
    cover = np.zeros((112, 112))
    for rows, columns in windows[: len(coarse)]:
        cover[rows, columns] += 1
    assert (cover == 1).all()


def test_a_window_that_changes_nothing_gives_zero_exactly():
    """Also where a row of a batch is computed less exactly than another: the clean image is one of them."""

    class Sloppy(StepProbe):
        def score(self, batch):
            return super().score(batch) + (1e-3 if len(batch) > 1 else 0.0)

    batch = np.full((1, 20, 20, 1), 50, np.float32)
    batch[0, 3, 4] = 200
    given = np.ones((20, 20, 1))
    found = Occlusion(4, 4, "black").attribute(Sloppy(given), batch)[0]
    assert np.array_equal(np.argwhere(found), [[y, x] for y in range(4) for x in range(4, 8)])
    assert (found[:4, 4:8] == 1).all()


def test_it_never_asks_for_one_point_alone():
    class Company(LinearProbe):
        def score(self, batch):
            assert len(batch) > 1
            return super().score(batch)

    for size in range(2, 9):
        probe = counted(Company(weights((24, 8, 1)), chunk=size))
        Occlusion(4, 4).attribute(probe, points(1, (24, 8, 1)))
        assert probe.points == 13


def test_it_tells_its_windows():
    probe = LinearProbe(weights((28, 40, 1)))
    assert Occlusion().notes(probe) == ("247 windows of 4 x 4 pixels, 2 pixels apart.",)
    assert Occlusion(30, 200).notes(probe) == ("2 windows of 30 x 28 pixels, 28 pixels apart.",)


@pytest.mark.parametrize("shape", [(1, 50, 1), (2, 3, 3), (28, 28, 1), (37, 61, 4)])
@pytest.mark.parametrize("window", [0, 1, 5, 256])
def test_windows_are_counted_without_making_them(shape, window):
    method = Occlusion(window=window, stride=window // 2)
    probe = LinearProbe(np.zeros(shape))
    assert method.total(probe) == len(method.windows(*shape[:2])) == method.cost_on(probe) - 1
    assert method.cost == len(method.windows(224, 224)) + 1
