"""What black-box methods share: images with parts hidden, made chunk by chunk, and their scores."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

from saliency_core.arrays import Array, Float, Points
from saliency_core.probe import Probe, pieces
from saliency_core.spec import Choice, Integer

LARGEST_SEED = 2**32 - 1
BLUR = 0.1  # standard deviation of the blur, as a share of the shorter side

Show = Callable[[Float, int], None]  # writes the image of one round into an array (H, W, C)


def fill_choice(default: str = "mean") -> Choice:
    """Return the setting that says what stands where pixels are hidden."""
    return Choice(
        default,
        options=("mean", "black", "white", "blurred"),
        titles=("Mean colour", "Black", "White", "Blurred image"),
        title="Hidden pixels",
        help="What stands in the place of hidden pixels: the mean colour of the image, black, white, or the "
        "image itself, blurred.",
    )


def seed_setting() -> Integer:
    """Return the setting that says which masks are drawn."""
    return Integer(0, low=0, high=LARGEST_SEED, title="Seed", help="Which masks are drawn.")


def filled(point: Float, fill: str) -> Float:
    """Return what is shown where an image (H, W, C) is hidden, of the same shape."""
    if fill == "blurred":
        from scipy.ndimage import gaussian_filter

        sigma = BLUR * min(point.shape[:2])
        return np.asarray(gaussian_filter(point, (sigma, sigma, 0)), np.float32)
    level = {"black": 0.0, "white": 255.0}.get(fill)
    colour = point.mean((0, 1), dtype=np.float64) if level is None else level
    return np.broadcast_to(np.asarray(colour, np.float32), point.shape)


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
