"""What LIME and Kernel SHAP share: superpixels that are shown or hidden, and least squares over them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from saliency_core.arrays import Array, Float, Points
from saliency_core.baselines import Baseline
from saliency_core.masking import Show, hidden, hidden_pixels, scores, seed_setting
from saliency_core.methods.base import Refining, Sketch
from saliency_core.probe import Probe
from saliency_core.spec import Integer, Real, param

COLOUR_RANGE = 100.0  # of the colour space Lab, in which three channels are compared
SMOOTHING = 1.0  # pixels of blur before superpixels are sought: one noisy pixel is none of its own
SKETCHES = 20  # fits on the way: one takes longer than a few points of a small network
CUTOFF = 1e-10  # of the largest eigenvalue: directions that no coalition has tried yet
Solved = tuple[Array, Array, Mapping[str, float]]


@dataclass(frozen=True)
class Coalitions(Refining):
    """A method that shows some superpixels and hides the others, again and again, and fits the scores.

    Superpixels are those of SLIC, as scikit-image computes them: clusters in colour and place. Of an image
    of one channel or many the channels themselves are compared, on the scale of 0 to 100 that colours have.
    Coalition i comes from (seed, i) alone. What all superpixels of an image get is its map.
    """

    rounds: ClassVar[str] = "samples"
    fixed: ClassVar[int] = 0  # points asked before the samples: the whole image, and nothing of it

    samples: int = param(
        Integer(500, low=10, high=5000, step=50, title="Samples", help="How many images with parts hidden.")
    )
    segments: int = param(
        Integer(
            50,
            low=5,
            high=200,
            step=10,
            title="Superpixels",
            help="How many to look for; the image decides how many there are.",
        )
    )
    compactness: float = param(
        Real(
            20.0,
            low=0.5,
            high=100.0,
            step=0.5,
            title="Compactness",
            help="Small: superpixels follow the colours. Large: they are nearly squares.",
        )
    )
    baseline: Baseline = param(hidden_pixels())
    seed: int = param(seed_setting())

    @property
    def cost(self) -> int:
        return self.samples + self.fixed

    def coalition(self, number: int, count: int) -> Array:
        """Return which of so many superpixels are shown in one round, as booleans."""
        raise NotImplementedError

    def solved(self, shown: Array, found: Array) -> Solved:
        """Return a weight for each superpixel, its standard error, and facts, from coalitions and scores."""
        raise NotImplementedError

    def told(self, facts: Mapping[str, float]) -> tuple[str, ...]:
        """Return what the facts of a fit say, one sentence each."""
        return ()

    def sketches(self, probe: Probe, points: Points, begun: Sketch | None = None) -> Iterator[Sketch]:
        maps = [superpixels(point, self.segments, self.compactness) for point in points]
        drawn: list[list[Array]] = [
            [self.coalition(number, int(regions.max()) + 1) for number in range(self.cost)]
            for regions in maps
        ]
        known = begun.state["scores"] if begun else np.zeros((len(points), 0))
        fitted = known.shape[1]
        asked = [
            scores(probe, self.cost, known.shape[1], self._shower(*one))
            for one in zip(points, maps, drawn, strict=True)
        ]
        for steps in zip(*asked, strict=True):
            known = np.concatenate([known, np.stack([found for _, found in steps])], 1)
            whole = known.shape[1] == self.cost
            if whole or known.shape[1] - max(fitted, self.fixed) >= self.samples / SKETCHES:
                fitted = known.shape[1]
                yield self._sketch(maps, drawn, known)
        if begun and begun.done == self.samples:
            yield self._sketch(maps, drawn, known)

    def _sketch(self, maps: list[Array], drawn: list[list[Array]], known: Array) -> Sketch:
        values, errors = [], []
        facts: dict[str, float] = {}
        for regions, coalitions, found in zip(maps, drawn, known, strict=True):
            weights, error, told = self.solved(np.array(coalitions[: len(found)], np.float64), found)
            values.append(weights[regions])
            errors.append(error[regions])
            facts = facts or {"superpixels": float(len(weights)), **told}
        return Sketch(
            np.stack(values).astype(np.float32),
            known.shape[1] - self.fixed,
            self.samples,
            np.stack(errors).astype(np.float32),
            facts,
            (f"{facts['superpixels']:.0f} superpixels.", *self.told(facts)),
            {"scores": known},
        )

    def _shower(self, point: Float, regions: Array, coalitions: list[Array]) -> Show:
        height = len(point)
        places = np.repeat(regions, point.shape[2], 1)
        clean = point.reshape(height, -1)
        instead = np.array(hidden(point, self.baseline)).reshape(height, -1)

        def show(image: Float, number: int) -> None:
            flat = image.reshape(height, -1)
            flat[:] = instead
            np.copyto(flat, clean, where=coalitions[number][places])

        return show


def superpixels(point: Float, segments: int, compactness: float) -> Array:
    """Return the number of the superpixel of every pixel, (H, W), from 0 and without gaps."""
    from skimage.segmentation import slic

    channels = point.shape[2]
    found = slic(
        point / np.float32(255),
        n_segments=segments,
        compactness=compactness / (1.0 if channels == 3 else COLOUR_RANGE),
        sigma=SMOOTHING,
        channel_axis=-1,
        convert2lab=channels == 3,
        start_label=0,
    )
    return np.unique(found, return_inverse=True)[1].reshape(found.shape)


def weighted_ridge(shown: Array, found: Array, weights: Array, ridge: float) -> Solved:
    """Fit scores by a sum over superpixels and a constant, which alone is not held small.

    shown: (N, K) of 0 and 1. The standard error is that of the fit over other coalitions, whatever the
    spread of the residuals (White's). Facts: "fit", the share of the spread that the sum explains.
    """
    part = weights / weights.sum()
    inputs, scores = shown - part @ shown, found - part @ found
    heavy = inputs * weights[:, None]
    inverse = np.linalg.inv(heavy.T @ inputs + ridge * np.eye(inputs.shape[1]))
    slopes = inverse @ (heavy.T @ scores)
    left = scores - inputs @ slopes
    away = (heavy * left[:, None]) @ inverse
    spread = float(weights @ scores**2)
    facts = {"fit": 1 - float(weights @ left**2) / spread} if spread else {}
    return slopes, np.sqrt((away**2).sum(0)), facts


def shapley(shown: Array, worth: Array, whole: float, weights: Array | None = None) -> tuple[Array, Array]:
    """Return the Shapley values that fit the worth of coalitions best and add up to `whole` exactly.

    shown: (N, K) of 0 and 1; worth: score less that of the empty coalition; weights: those of the Shapley
    kernel, or none where coalitions were drawn in its proportions. What coalitions leave open is shared
    alike. The standard error takes coalitions in pairs, as they are drawn.
    """
    count = shown.shape[1]
    sizes = shown.sum(1)
    inputs, rest = shown - sizes[:, None] / count, worth - whole * sizes / count
    heavy = inputs if weights is None else inputs * weights[:, None]
    inverse = np.linalg.pinv(heavy.T @ inputs, rcond=CUTOFF, hermitian=True)
    moved = inverse @ (heavy.T @ rest)
    away = heavy * (rest - inputs @ moved)[:, None]
    pairs = np.add.reduceat(away, np.arange(0, len(away), 2)) @ inverse
    moved -= moved.mean()
    return moved + whole / count, np.sqrt((pairs**2).sum(0))
