"""Regions of the image in the order in which they matter."""

from __future__ import annotations

from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from saliency_core.arrays import Array, Points, Values
from saliency_core.baselines import Black, White
from saliency_core.cells import STRETCHED, Cells, enlarged
from saliency_core.methods.base import Method, Refining, Sketch
from saliency_core.probe import Probe
from saliency_core.registry import register
from saliency_core.segments import Ranking, least_gain, regions
from saliency_core.spec import Choice, Part, param, specs

BOTH, OWN = "black_and_white", "own"


@register(
    "method",
    "xrai",
    title="XRAI",
    kind="region",
    group="Regions",
    cites=("kapishnikov2019", "felzenszwalb2004"),
    formula="mean over a region of the largest channel of base; regions come by falling mean of what they "
    "add",
    misleads="The edges are those of a segmentation that knows nothing of the network. Small regions with a "
    "few strong pixels come first, large ones are diluted.",
)
@dataclass(frozen=True)
class Xrai(Refining):
    """Shows which regions of the image matter, by the mean contribution of their pixels.

    The constants of PAIR's implementation: Felzenszwalb's segments at six scales, integrated gradients from
    black and from white, the largest channel of each pixel. On images smaller than 224 pixels the distances
    shrink in proportion.
    """

    base: Method = param(
        Part("integrated_gradients()", title="Base", help="The method whose values are gathered by region.")
    )
    baselines: str = param(
        Choice(
            BOTH,
            options=(BOTH, OWN),
            titles=("Black and white", "The base's own"),
            title="Baselines",
            help="Black and white as in the paper, so that neither dark nor bright pixels get nothing; only "
            "for a base that has a baseline.",
        )
    )

    @property
    def degree(self) -> int:  # type: ignore[override]
        """A mean grows as its base does; the order of regions stays."""
        return self.base.degree

    @property
    def cost(self) -> int:
        return sum(base.cost for base in self._bases())

    def cost_on(self, probe: Probe) -> int:
        return sum(base.cost_on(probe) for base in self._bases())

    def units(self, score_unit: str) -> str:
        return f"{self.base.units(score_unit)}, mean over a region"

    def notes(self, probe: Probe) -> tuple[str, ...]:
        return self._notes(probe, " from black and from white" if len(self._bases()) > 1 else "")

    def _notes(self, probe: Probe, started: str) -> tuple[str, ...]:
        height, width, _ = probe.shape
        return (
            f"Each pixel shows the mean of {self.base.name}{started} over the region it came with; a region "
            f"came only while it added {least_gain(height, width)} or more pixels.",
        )

    def cells_on(self, probe: Probe) -> Cells:
        return STRETCHED  # a number for every pixel, however coarse the base

    @property
    def counted_in(self) -> str:  # type: ignore[override]
        """Rounds are those of the base."""
        return self.base.counted_in if isinstance(self.base, Refining) else "maps"

    def total(self, probe: Probe) -> int:
        return sum(_rounds(base, probe) for base in self._bases())

    def continues(self, other: Method) -> bool:
        if not isinstance(other, Xrai) or not isinstance(self.base, Refining):
            return other == self
        return replace(other, base=self.base) == self and self.base.continues(other.base)

    def attribute(self, probe: Probe, points: Points) -> Values:
        maps = [base.attribute(probe, points) for base in self._bases()]
        return self._gathered(maps, probe, _rankings(points))

    def sketches(self, probe: Probe, points: Points, begun: Sketch | None = None) -> Iterator[Sketch]:
        bases, rankings = self._bases(), list[Ranking]()
        held = [_held(begun, place, _rounds(base, probe)) for place, base in enumerate(bases)]
        told = sum(one.done for one in held)
        if begun and begun.done != told:
            return
        if begun and told == sum(one.total for one in held):
            yield self._sketch(held, probe, _rankings(points))
            return
        begins = [one if one.done else None for one in held]
        runs = [_run(base, probe, points, one) for base, one in zip(bases, begins, strict=True)]
        for place, sketch in _in_turn(runs):
            held[place] = sketch
            if (done := sum(one.done for one in held)) > told:
                told, rankings = done, rankings or _rankings(points)
                yield self._sketch(held, probe, rankings)

    def _sketch(self, held: Sequence[Sketch], probe: Probe, rankings: Sequence[Ranking]) -> Sketch:
        known = [one.values for one in held if one.done]
        values = self._gathered(known, probe, rankings)
        done, total = sum(one.done for one in held), sum(one.total for one in held)
        # a first look from black alone comes in a third of the time
        whole = len(known) == len(held)
        notes = self.notes(probe) if whole else self._notes(probe, ", so far from black alone,")
        return Sketch(values, done, total, notes=notes, state=_state(held))

    def _gathered(self, maps: Sequence[Values], probe: Probe, rankings: Sequence[Ranking]) -> Values:
        """Return the mean of the maps, gathered by the regions of each image."""
        cells = self.base.cells_on(probe)
        flat = [_flat(one, probe.shape[:2], cells) for one in np.stack(maps).mean(0, np.float64)]
        return np.stack([by.of(one) for by, one in zip(rankings, flat, strict=True)]).astype(np.float32)

    def _bases(self) -> tuple[Method, ...]:
        if self.baselines == OWN or "baseline" not in specs(self.base):
            return (self.base,)
        return tuple(replace(self.base, baseline=one) for one in (Black(), White()))  # type: ignore[type-var]


def _flat(values: Array, shape: tuple[int, ...], cells: Cells) -> Array:
    """Return one number a pixel: the largest channel; a coarse map at the size of the image."""
    return values.max(-1) if values.ndim == 3 else enlarged(values, shape[0], shape[1], cells)


def _rankings(points: Points) -> list[Ranking]:
    return [Ranking(regions(point)) for point in points]


def _rounds(base: Method, probe: Probe) -> int:
    return base.total(probe) if isinstance(base, Refining) else 1


def _run(base: Method, probe: Probe, points: Points, begun: Sketch | None) -> Generator[Sketch, None, None]:
    yield from base.sketches(probe, points, begun)


def _in_turn(runs: Sequence[Generator[Sketch, None, None]]) -> Iterator[tuple[int, Sketch]]:
    """Yield one sketch of each run after the other, with the place of its run, until all have ended."""
    left = dict(enumerate(runs))
    try:
        while left:
            for place, run in list(left.items()):
                if (sketch := next(run, None)) is None:
                    del left[place]
                else:
                    yield place, sketch
    finally:
        for run in runs:
            run.close()


def _state(sketches: Sequence[Sketch]) -> dict[str, Array]:
    """Return what is needed to go on with several runs."""
    state: dict[str, Array] = {}
    for place, one in enumerate(sketches):
        if not one.done:
            continue
        state[f"map {place}"] = one.values
        state[f"rounds {place}"] = np.array([one.done, one.total])
        state |= {f"state {place} {name}": array for name, array in one.state.items()}
    return state


def _held(begun: Sketch | None, place: int, rounds: int) -> Sketch:
    """Return how far one of several runs has come, of so many rounds or more."""
    if begun is None or f"rounds {place}" not in begun.state:
        return Sketch(np.zeros(0, np.float32), 0, rounds)
    done, total = map(int, begun.state[f"rounds {place}"])
    own = f"state {place} "
    state = {name.removeprefix(own): one for name, one in begun.state.items() if name.startswith(own)}
    return Sketch(begun.state[f"map {place}"], done, max(total, rounds), state=state)
