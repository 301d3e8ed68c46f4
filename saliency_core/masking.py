"""What black-box methods share: images with parts hidden, made chunk by chunk, and their scores."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

from saliency_core.arrays import Array, Float, Points
from saliency_core.baselines import Baseline, Mean
from saliency_core.probe import Probe, pieces
from saliency_core.sampling import LARGEST_SEED
from saliency_core.spec import Integer, Part

MEAN = Mean()
Show = Callable[[Float, int], None]  # writes the image of one round into an array (H, W, C)


def hidden_pixels(default: Baseline = MEAN) -> Part:
    """Return the setting that says what stands where pixels are hidden."""
    return Part(
        default,
        of="baseline",
        title="Hidden pixels",
        help="The image whose pixels stand in the place of hidden ones.",
    )


def seed_setting() -> Integer:
    """Return the setting that says which masks are drawn."""
    return Integer(0, low=0, high=LARGEST_SEED, title="Seed", help="Which masks are drawn.")


def hidden(point: Float, baseline: Baseline) -> Float:
    """Return what is shown where an image (H, W, C) is hidden, of the same shape."""
    return np.asarray(baseline.of(point[None])[0], np.float32)


def scores(probe: Probe, rounds: int, first: int, show: Show) -> Iterator[tuple[range, Array]]:
    """Yield (rounds, their scores) from the round `first` on, as many at once as the probe takes.

    `show` writes the image of a round into an array that held another one before: there is one array, as
    large as a chunk. A round that is left alone is asked twice, because one point goes through another
    compiled form than several, whose last digits may differ.
    """
    cuts = pieces(rounds, max(2, probe.chunk), first)
    most = max((end - begin for begin, end in cuts), default=0)
    held: Points = np.empty((max(2, most), *probe.shape), np.float32)
    for begin, end in cuts:
        for place, number in enumerate(range(begin, end)):
            show(held[place], number)
        if end - begin == 1:
            held[1] = held[0]
        yield range(begin, end), probe.score(held[: max(2, end - begin)])[: end - begin]
