"""Integrated Gradients averaged over many baselines, one random pair of baseline and place a sample."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import ClassVar

import numpy as np

from saliency_core.arrays import Array, Float, Points
from saliency_core.baselines import Known, Picture, from_gallery, gallery_names, random_pixels
from saliency_core.errors import SettingError
from saliency_core.methods.base import Method, Sketch
from saliency_core.paths import Path, is_slope, score_of, told
from saliency_core.probe import Probe
from saliency_core.registry import register
from saliency_core.sampling import (
    GRADIENT,
    LARGEST_SEED,
    Moments,
    in_company,
    rounds_at_once,
    scores_of,
    spans,
)
from saliency_core.spec import Choice, Integer, Part, Text, param

NOISE, GALLERY, NAMED = "noise", "gallery", "named"
LONGEST_NAMES = 4000  # characters: 60 digests


@register(
    "method",
    "expected_gradients",
    title="Expected Gradients",
    cites=("erion2021", "sundararajan2017"),
    formula="mean of (pixel - baseline) * base(a place on the line from baseline to image)",
    misleads="The answer is relative to the set of baselines: change the set, and other pixels count.",
)
@dataclass(frozen=True)
class ExpectedGradients(Path):
    """Shows each pixel's share in the score compared with many baselines instead of a single one.

    One random place on the line for every random baseline, as in the paper, which draws baselines from the
    training images. Those are not at hand here: images of random pixels or the gallery stand for them, or
    pictures that are named, some of them handed over beside the image.
    """

    rounds: ClassVar[str] = "samples"
    counted_in: ClassVar[str] = "samples"

    base: Method = param(Part(GRADIENT, title="Base", help="The method that sees the images on the way."))
    samples: int = param(
        Integer(
            100, low=2, high=2000, title="Samples", help="Random pairs of a baseline and a place on the way."
        )
    )
    baselines: str = param(
        Choice(
            NOISE,
            options=(NOISE, GALLERY, NAMED),
            titles=("Random pixels", "Pictures of the gallery", "The pictures named below"),
            title="Baselines",
            help="What the image is compared with.",
        )
    )
    seed: int = param(Integer(0, low=0, high=LARGEST_SEED, title="Seed", help="Which pairs are drawn."))
    names: str = param(
        Text(
            "chelsea, coffee",
            longest=LONGEST_NAMES,
            title="Pictures",
            help="Their names in the gallery, or as they are handed over, with commas between; only for "
            "baselines that are named.",
        )
    )
    pixels: Mapping[str, Float] = field(default_factory=dict, compare=False, repr=False)  # by name, (H, W, C)

    @property
    def pictures(self) -> tuple[str, ...]:
        """The pictures it compares with by name; none where random pixels or the whole gallery are."""
        named = (name.strip() for name in self.names.split(","))
        return tuple(name for name in named if name) if self.baselines == NAMED else ()

    def with_pictures(self, known: Known) -> ExpectedGradients:
        """Return it with the pixels of its pictures, each named by its digest."""
        renamed = ", ".join(known[name][0] if name in known else name for name in self.pictures)
        if not set(known) & set(self.pictures):
            return self
        return replace(self, names=renamed, pixels={**self.pixels, **dict(known.values())})

    def on_picture(self, name: str) -> ExpectedGradients:
        """Return it compared with one picture more, or with this one first."""
        return replace(self, baselines=NAMED, names=", ".join((*self.pictures, name)))

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.baselines == NAMED and not self.pictures:
            raise SettingError(
                f"expected_gradients: names {self.names[:60]!r} name no picture.",
                "Give names with commas between, such as 'chelsea, coffee'.",
            )

    @property
    def refinable(self) -> bool:
        return True

    def reference(self, points: Points) -> Points:
        mean = sum(
            self.pair(sample, points.shape[1:])[1].astype(np.float64) for sample in range(self.samples)
        )
        return np.broadcast_to(np.asarray(mean / self.samples), points.shape)

    def pair(self, sample: int, shape: tuple[int, ...]) -> tuple[float, Float]:
        """Return the place on the line, 0 to 1, and the baseline (H, W, C) of one sample."""
        height, width, channels = shape
        draws = np.random.default_rng([self.seed, sample])
        place = float(draws.random())
        if self.baselines == NOISE:
            return place, random_pixels([self.seed, sample, 1], shape)
        names = self.pictures or gallery_names()
        name = names[int(draws.integers(len(names)))]
        if name not in self.pixels:
            return place, from_gallery(name, (height, width, channels))
        return place, Picture(name, self.pixels[name]).of(np.empty((1, *shape), np.float32))[0]

    def sketches(self, probe: Probe, points: Points, begun: Sketch | None = None) -> Iterator[Sketch]:
        points, slope = points.astype(np.float32, copy=False), is_slope(self.base)
        moments = Moments(begun.state if begun else None)
        image, below = self._scores(probe, points, begun)
        at_once = rounds_at_once(probe, points, self.base.cost_on(probe))
        if begun and moments.count == self.samples:
            yield self._seen(moments, image, below)
        for first, end in spans(moments.count, self.samples, at_once):
            pairs = [self.pair(sample, points.shape[1:]) for sample in range(first, end)]
            ways = [points - start for _, start in pairs]
            path = np.concatenate(
                [start + np.float32(place) * way for (place, start), way in zip(pairs, ways, strict=True)]
            )
            maps = in_company(self.base, probe, path)
            maps = maps.reshape(end - first, len(points), *maps.shape[1:])
            for one, way in zip(maps, ways, strict=True):
                moments.add(one.astype(np.float64) * way if slope else one)
            if slope:
                starts = np.stack([start for _, start in pairs])
                for score in scores_of(probe, starts):
                    below = below + score
            yield self._seen(moments, image, below)

    def _scores(self, probe: Probe, points: Points, begun: Sketch | None) -> tuple[Array, Array]:
        """Return the score of the image and the sum of those of the baselines so far, both (B,)."""
        if begun:
            return begun.state["image"], begun.state["below"]
        image = score_of(probe, points) if is_slope(self.base) else np.zeros(len(points))
        return image, np.zeros(len(points))

    def _seen(self, moments: Moments, image: Array, below: Array) -> Sketch:
        whole = float((image - below / moments.count)[0])
        ends = "score of the image and the mean score of its baselines"
        facts, notes = told(self.base, whole, float(moments.mean[0].sum()), ends)
        state = {**moments.state, "image": image, "below": below}
        values = np.asarray(moments.mean, np.float32)
        return Sketch(values, moments.count, self.samples, moments.error, facts, notes, state)

    def _points(self, each: int) -> int:
        """Return the points of all maps, of every baseline's score and of the image's."""
        return self.samples * (each + 1) + 1 if is_slope(self.base) else self.samples * each
