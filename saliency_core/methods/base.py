"""What every method is: frozen settings and one function over a probe, in NumPy."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import ClassVar, Self

import numpy as np

from saliency_core.arrays import Array, Points, Values
from saliency_core.cells import STRETCHED, Cells
from saliency_core.errors import SettingError
from saliency_core.kinds import kind
from saliency_core.probe import Probe
from saliency_core.registry import Registered
from saliency_core.spec import specs


@dataclass(frozen=True)
class Sketch:
    """A map as far as it is known after `done` of `total` rounds; the last one is the result.

    values: (B, H, W, C) or (B, h, w). error: the standard error of `values`, where they are a mean of
    samples. facts: numbers about the map by name, such as "gap". notes: sentences for the reader.
    state: arrays from which the same method goes on.
    """

    values: Values
    done: int = 1
    total: int = 1
    error: Values | None = None
    facts: Mapping[str, float] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    state: Mapping[str, Array] = field(default_factory=dict)


class Method(Registered):
    """A way to attribute a score to pixels.

    kind says what the values are: one of saliency_core.kinds. cost is the number of points asked for
    each image. degree says how values grow with the score: 1 when twice the score gives twice the map,
    2 when it gives four times the map, 0 when there is no such law. aside is what the meaning of the kind
    leaves out. answers_silence: the map is not zero
    where the score never changes. group is its place in menus.
    """

    family: ClassVar[str] = "method"
    kind: ClassVar[str] = "sensitivity"
    group: ClassVar[str] = "Gradients"
    degree: ClassVar[int] = 1
    answers_silence: ClassVar[bool] = False
    aside: ClassVar[str] = ""
    formula: ClassVar[str] = ""
    misleads: ClassVar[str] = ""

    @property
    def cost(self) -> int:
        """Points evaluated for one image."""
        return 1

    @property
    def name(self) -> str:
        """What it is called with what it is made of: "SmoothGrad over Grad-CAM"."""
        base = getattr(self, "base", None)
        if base is None or base == specs(self)["base"].default:
            return self.title
        return f"{self.title} over {base.name}"

    def cost_on(self, probe: Probe) -> int:
        """Points evaluated for one image of this size; the same as `cost` unless the size matters."""
        return self.cost

    def attribute(self, probe: Probe, points: Points) -> Values:
        """Return one signed map a point, (B, H, W, C) or (B, h, w) float32."""
        raise NotImplementedError

    def sketches(self, probe: Probe, points: Points, begun: Sketch | None = None) -> Iterator[Sketch]:
        """Yield the map as it becomes known; `begun` is where an earlier run of the same course stopped."""
        yield Sketch(self.attribute(probe, points), notes=self.notes(probe))

    def notes(self, probe: Probe) -> tuple[str, ...]:
        """Return what a reader should know of the map beside its numbers, one sentence each."""
        return ()

    def cells_on(self, probe: Probe) -> Cells:
        """Return where the numbers of a coarse map lie on the image; a wrapper has the cells of its base."""
        base = getattr(self, "base", None)
        return base.cells_on(probe) if isinstance(base, Method) else STRETCHED

    def tangent(self, points: Points, directions: Points) -> Points | None:
        """Return the pixel moves along which the score must change by <values, directions>.

        None where the values are no derivative, so that no finite difference can confirm them.
        """
        return None

    def reference(self, points: Points) -> Points:
        """Return what contributions are measured against, (B, H, W, C): black, unless a method says else."""
        return np.zeros_like(points)

    def units(self, score_unit: str) -> str:
        """Return the unit of the values."""
        return kind(self.kind).unit.format(score=score_unit)


class Refining(Method):
    """A method that repeats one thing many times, shows the map meanwhile and can go on later.

    `rounds` names the setting that says how often; it is empty where the other settings and the size of
    the image decide that. Round i is the same whatever came before it, so that the rounds of a longer run
    begin with those of a shorter one. `grows` is how many times longer the next run is that can use all of
    this one.
    """

    rounds: ClassVar[str] = ""
    counted_in: ClassVar[str] = "samples"
    grows: ClassVar[int] = 2

    def sketches(self, probe: Probe, points: Points, begun: Sketch | None = None) -> Iterator[Sketch]:
        raise NotImplementedError

    def attribute(self, probe: Probe, points: Points) -> Values:
        *_, last = self.sketches(probe, points)
        return last.values

    def total(self, probe: Probe) -> int:
        """How many rounds there are on an image of this size."""
        return int(getattr(self, self.rounds))

    @property
    def longer(self) -> Self | None:
        """The same method with more rounds, able to go on from this one; None beyond what is allowed."""
        if not self.rounds:
            return None
        try:
            return replace(self, **{self.rounds: self.grows * getattr(self, self.rounds)})  # type: ignore[type-var]
        except SettingError:
            return None

    def continues(self, other: Method) -> bool:
        """Tell whether a run of `other`, finished or stopped, is the beginning of this one's."""
        if type(other) is not type(self) or not self.rounds:
            return other == self
        own, before = getattr(self, self.rounds), getattr(other, self.rounds)
        return replace(other, **{self.rounds: own}) == self and self.extends(before)  # type: ignore[type-var]

    def extends(self, rounds: int) -> bool:
        """Tell whether a run of so many rounds is the beginning of this one's."""
        return rounds <= int(getattr(self, self.rounds))
