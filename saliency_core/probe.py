"""A probe is a graph asked one question: scores, gradients and inner tensors over batches of points."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from threading import Lock
from typing import Protocol, TypeVar, runtime_checkable

from saliency_core.arrays import Array, Points, Values, joined_rows
from saliency_core.models.anatomy import Layer

OnPoints = Callable[[int], None]
T = TypeVar("T")


@dataclass(frozen=True)
class RuleFacts:
    """What a backward rule changes between the pixels and what is asked: how many ReLUs, and what is left.

    others: activations that the rule leaves as they are, (kind, how many), and of these `left` are ReLUs.
    """

    rule: str
    patched: int
    left: int = 0
    others: tuple[tuple[str, int], ...] = ()

    @property
    def sentence(self) -> str:
        """The count in words."""
        found = f"{self.patched} of {self.patched + self.left} ReLUs patched."
        named = ", ".join(f"{count} {kind}" for kind, count in self.others)
        return f"{found} Left as they are: {named}." if named else found


@dataclass(frozen=True)
class Shares:
    """Scores taken apart: the image times its gradient, and what each bias of the network adds.

    score: (B,). pixels: (B, H, W, C), at the image as the first weights see it. biases: for each the layer
    and (B, h, w, 2) or (B, ..., 2), the sum over channels and the sum of their sizes. offset: what belongs
    to no layer.
    """

    score: Array
    pixels: Array
    biases: tuple[tuple[Layer, Array], ...] = ()
    offset: float = 0.0


@runtime_checkable
class Probe(Protocol):
    """One score a point, and its derivatives. Points are (B, H, W, C) float32 raw pixels."""

    @property
    def shape(self) -> tuple[int, int, int]:
        """Height, width and channels of a point."""

    @property
    def chunk(self) -> int:
        """Rows that go through the network at once."""

    @property
    def layers(self) -> tuple[Layer, ...]:
        """Layers between the image and what is asked, in order of computation."""

    def score(self, points: Points) -> Array:
        """Return the score of each point, (B,) float64."""

    def gradient(self, points: Points, rule: str = "") -> Values:
        """Return the derivative of each score by each pixel, (B, H, W, C) float32."""

    def at_layer(self, points: Points, layer: str) -> tuple[Array, Array]:
        """Return a layer's activations and the score's gradient there, both (B, ...) float32."""

    def shares(self, points: Points) -> Shares:
        """Return each score as shares of the pixels and of the network's biases."""

    def rule_facts(self, rule: str) -> RuleFacts:
        """Tell what a backward rule changes."""

    def relevance(self, points: Points, rule: str, numbers: Sequence[float]) -> tuple[Array, Values]:
        """Hand each score back by a rule of LRP: what was handed back (B,), and what each pixel got of it.

        numbers: epsilon, gamma and alpha. Without a constant of the target, the first is the score.
        """


@dataclass
class counted:
    """A probe that counts the points it is asked and reports them chunk by chunk.

    `on_points` is called with the count so far after each chunk; what it raises stops the work. Whoever asks,
    one chunk at a time is computed: a method with several runs under way needs no more memory than with one.
    """

    base: Probe
    on_points: OnPoints | None = None
    points: int = 0
    _lock: Lock = field(default_factory=Lock, init=False, repr=False, compare=False)

    @property
    def shape(self) -> tuple[int, int, int]:
        """Height, width and channels of a point."""
        return self.base.shape

    @property
    def chunk(self) -> int:
        """Rows that go through the network at once."""
        return self.base.chunk

    @property
    def layers(self) -> tuple[Layer, ...]:
        """Layers between the image and what is asked."""
        return self.base.layers

    def score(self, points: Points) -> Array:
        """Return the scores of the base probe."""
        return joined_rows(self._asked(points, self.base.score))

    def gradient(self, points: Points, rule: str = "") -> Values:
        """Return the gradients of the base probe."""
        return joined_rows(self._asked(points, lambda part: self.base.gradient(part, rule)))

    def at_layer(self, points: Points, layer: str) -> tuple[Array, Array]:
        """Return the layer and its gradients from the base probe."""
        parts = self._asked(points, lambda part: self.base.at_layer(part, layer))
        return joined_rows([part[0] for part in parts]), joined_rows([part[1] for part in parts])

    def shares(self, points: Points) -> Shares:
        """Return the shares from the base probe."""
        return joined(self._asked(points, self.base.shares))

    def rule_facts(self, rule: str) -> RuleFacts:
        """Pass on."""
        return self.base.rule_facts(rule)

    def relevance(self, points: Points, rule: str, numbers: Sequence[float]) -> tuple[Array, Values]:
        """Return scores and relevance from the base probe."""
        parts = self._asked(points, lambda part: self.base.relevance(part, rule, numbers))
        return joined_rows([part[0] for part in parts]), joined_rows([part[1] for part in parts])

    def _asked(self, points: Points, ask: Callable[[Points], T]) -> list[T]:
        """Return the answers of the base probe, chunk by chunk."""
        return [self._one(points[first:last], ask) for first, last in pieces(len(points), self.chunk)]

    def _one(self, part: Points, ask: Callable[[Points], T]) -> T:
        with self._lock:
            answer = ask(part)
            self.points += len(part)
            if self.on_points is not None:
                self.on_points(self.points)
        return answer


def joined(parts: Sequence[Shares]) -> Shares:
    """Return the shares of several batches as those of one."""
    columns = zip(*(part.biases for part in parts), strict=True)
    return Shares(
        joined_rows([part.score for part in parts]),
        joined_rows([part.pixels for part in parts]),
        tuple((column[0][0], joined_rows([values for _, values in column])) for column in columns),
        parts[0].offset,
    )


def pieces(count: int, size: int, first: int = 0) -> list[tuple[int, int]]:
    """Return where to cut `first` to `count` into pieces of a size; a single one left over joins the last.

    A network computes one point in another form than several, whose last digits may differ.
    """
    starts = list(range(first, count, size))
    if len(starts) > 1 and count - starts[-1] == 1:
        starts.pop()
    return list(zip(starts, [*starts, count][1:], strict=True))
