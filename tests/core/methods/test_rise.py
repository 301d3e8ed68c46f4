import itertools

import numpy as np
import pytest

from saliency_core.baselines import Black
from saliency_core.methods.rise import Rise, stretch
from tests.analytic import LinearProbe, SineProbe, points, weights

SHAPE = (6, 8, 2)


def every_mask(method, height, width):
    """Yield each mask of a small grid, at each shift, with its chance."""
    cell = -(-height // method.cells), -(-width // method.cells)
    shifts = list(itertools.product(range(cell[0]), range(cell[1])))
    for bits in itertools.product((0, 1), repeat=method.cells**2):
        grid = np.array(bits, np.float32).reshape(method.cells, method.cells)
        chance = method.p ** sum(bits) * (1 - method.p) ** (len(bits) - sum(bits))
        for down, right in shifts:
            moved = (down + 0.5) / cell[0], (right + 0.5) / cell[1]
            yield chance / len(shifts), method.stretched(grid, moved, height, width).astype(np.float64)


def expected(method, given, point):
    """The exact expectation on a linear score whose baseline is black, over every mask there is."""
    total, mean, first = np.zeros(point.shape[:2]), 0.0, np.zeros(point.shape[:2])
    for chance, mask in every_mask(method, *point.shape[:2]):
        score = (given * point * mask[..., None]).sum()
        mean += chance * score
        first += chance * mask
        total += chance * score * mask
    return (total - (mean * first if method.centred else 0)) / method.p


@pytest.mark.parametrize("centred", [True, False])
@pytest.mark.parametrize("p", [0.5, 0.3])
def test_a_linear_score_gives_the_exact_expectation_within_the_standard_error(p, centred):
    method = Rise(4000, cells=2, p=p, baseline=Black(), centred=centred, seed=5)
    given, batch = weights(SHAPE), points(1, SHAPE)
    *_, last = method.sketches(LinearProbe(given, chunk=100), batch)
    away = (last.values[0] - expected(method, given, batch[0])) / last.error[0]
    assert np.sqrt((away**2).mean()) < 2
    assert np.abs(away).max() < 4.5


def test_the_expectation_by_enumeration_is_the_covariance_by_algebra():
    """Cov(score, mask) / p of a linear score: every cell has variance p(1 - p) and knows of no other."""
    method, given, point = Rise(cells=2, p=0.3, baseline=Black()), weights(SHAPE), points(1, SHAPE)[0]
    share, wanted = (given * point).sum(-1), np.zeros(SHAPE[:2])
    down, across = (stretch(2, side).astype(np.float64) for side in SHAPE[:2])
    for top, left in itertools.product(range(3), range(4)):
        rows, columns = down[top : top + 6], across[left : left + 8]
        cells = rows.T @ share @ columns  # the part of the score that hangs on each cell
        wanted += rows @ cells @ columns.T * 0.3 * 0.7 / 0.3 / 12
    found = expected(method, given, point)
    assert np.allclose(found, wanted, rtol=1e-6, atol=1e-6 * np.abs(wanted).max())


def test_masks_are_what_the_paper_says():
    method = Rise(cells=3, p=0.4)
    rows = stretch(3, 10)
    assert rows.shape == (16, 3)  # one cell of 4 pixels more than the three that cover ten
    assert np.allclose(rows.sum(1), 1)
    chances, masks = zip(*every_mask(Rise(cells=2, p=0.4), 6, 8), strict=True)
    assert sum(chances) == pytest.approx(1)
    mean = sum(chance * mask for chance, mask in zip(chances, masks, strict=True))
    assert np.allclose(mean, 0.4)
    drawn = np.stack([method.mask(number, 10, 10) for number in range(2000)])
    assert drawn.min() >= 0
    assert drawn.max() <= 1 + 1e-6
    spread = drawn.std(0) / np.sqrt(2000)
    assert (np.abs(drawn.mean(0) - 0.4) < 5 * spread).all()


def test_channels_of_a_pixel_are_shown_alike():
    method = Rise(cells=4)
    for number in range(5):
        both = method.mask(number, 9, 14, 3).reshape(9, 14, 3)
        one = method.mask(number, 9, 14)
        assert np.allclose(both, one[..., None], atol=1e-6)


def test_another_seed_gives_other_masks_and_each_its_own():
    method = Rise(cells=4)
    drawn = {method.mask(number, 9, 9).tobytes() for number in range(50)}
    assert len(drawn) == 50
    assert Rise(cells=4, seed=1).mask(0, 9, 9).tobytes() not in drawn


@pytest.mark.parametrize("centred", [True, False])
def test_the_standard_error_is_that_of_the_estimate_over_seeds(centred):
    given, batch = weights(SHAPE), points(1, SHAPE)
    probe = SineProbe(given, chunk=50)
    runs = []
    for seed in range(60):
        *_, last = Rise(100, cells=2, centred=centred, seed=seed).sketches(probe, batch)
        runs.append((last.values[0], last.error[0]))
    values, errors = (np.stack(parts) for parts in zip(*runs, strict=True))
    ratio = errors.mean(0) / values.std(0, ddof=1)
    assert 0.85 < np.median(ratio) < 1.15


def test_a_constant_in_the_score_is_taken_out():
    class Raised(SineProbe):
        def score(self, batch):
            return super().score(batch) + 4096.0

    given, batch = weights(SHAPE), points(1, SHAPE)
    low = Rise(100).attribute(SineProbe(given), batch)
    high = Rise(100).attribute(Raised(given), batch)
    assert np.allclose(low, high, rtol=1e-5, atol=1e-6)
    paper = Rise(100, centred=False)
    assert np.abs(paper.attribute(Raised(given), batch)).mean() > 3000


def test_more_masks_begin_with_fewer():
    probe, batch = SineProbe(weights(SHAPE), chunk=10), points(1, SHAPE)
    half, whole = Rise(25), Rise(50)
    *_, last = half.sketches(probe, batch)
    *_, gone_on = whole.sketches(probe, batch, last)
    *_, at_once = whole.sketches(probe, batch)
    assert gone_on.values.tobytes() == at_once.values.tobytes()
    assert gone_on.error.tobytes() == at_once.error.tobytes()
