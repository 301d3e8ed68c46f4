"""Lines back to the pixels: which rows and columns of the image the cells of a tensor's axes reach."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction

ROWS_AND_COLS = (0, 1)
Move = tuple[Fraction, Fraction, Fraction]  # step, first, last: what a cell reads of the axis before


@dataclass(frozen=True)
class Line:
    """Cell i of a tensor's axis reaches pixels `step * i + first` to `step * i + last`.

    `apart` is more than 1 while every so many cells are dealt out to a batch of their own: neighbours on
    the axis are then so many cells apart.
    """

    axis: int
    step: Fraction
    first: Fraction
    last: Fraction
    apart: int = 1

    def after(self, move: Move) -> Line | None:
        """Return the line of a step that reads cells `step * i + first` to `step * i + last` of this axis."""
        step, first, last = move
        if self.apart > 1 and step != 1:
            return None
        ends = (self.step * first * self.apart, self.step * last * self.apart)
        return Line(self.axis, self.step * step, self.first + min(ends), self.last + max(ends), self.apart)


@dataclass(frozen=True)
class Merged:
    """Leading axes that a reshape has put into one, so that a later one can take them apart again."""

    shape: tuple[int, ...]
    lines: Mapping[int, Line]


@dataclass(frozen=True)
class Reach:
    """Lines for rows (0) and columns (1); without a line a cell may depend on all of them."""

    lines: Mapping[int, Line] = field(default_factory=dict)
    merged: Merged | None = None

    @classmethod
    def of_image(cls) -> Reach:
        """Return the reach of the pixels themselves, (B, H, W, C)."""
        one, none = Fraction(1), Fraction(0)
        return cls({axis: Line(axis + 1, one, none, none) for axis in ROWS_AND_COLS})

    def without(self, axes: Collection[int]) -> Reach:
        """Return the reach after every cell along these axes has been read."""
        kept = {image: line for image, line in self.lines.items() if line.axis not in axes}
        return Reach(kept, None if 0 in axes else self.merged)

    def with_axes(self, place: Callable[[int], int]) -> Reach:
        """Return the reach with the tensor's axes at new places."""
        moved = {image: replace(line, axis=place(line.axis)) for image, line in self.lines.items()}
        return Reach(moved, self.merged if place(0) == 0 else None)


def moved(reach: Reach, moves: Mapping[int, Move]) -> Reach:
    """Return the reach of a step that reads each axis as `moves` says; other axes cell by cell."""
    followed = {
        image: line.after(moves[line.axis]) if line.axis in moves else line
        for image, line in reach.lines.items()
    }
    lines = {image: line for image, line in followed.items() if line is not None}
    same = moves.get(0, (1, 0, 0)) == (1, 0, 0)
    return Reach(lines, reach.merged if same else None)


def unreduced(reach: Reach, axes: Sequence[int]) -> Reach:
    """Return the reach after these axes, which carry no line any more, have been taken out of the shape."""
    return reach.with_axes(lambda axis: axis - sum(gone < axis for gone in axes))


def together(reaches: Sequence[Reach], shape: tuple[int, ...]) -> Reach:
    """Return what a cell reaches that reads the same cell of several tensors.

    Lines of different steps have no common line: their cells would drift apart. Where an axis has one
    cell only, the step does not matter.
    """
    if len(reaches) == 1:
        return reaches[0]
    lines = {}
    for image in ROWS_AND_COLS:
        found = [reach.lines.get(image) for reach in reaches]
        there = [line for line in found if line is not None]
        if len(there) < len(found) or len({(line.axis, line.apart) for line in there}) != 1:
            continue
        axis = there[0].axis
        if len({line.step for line in there}) == 1 or shape[axis] == 1:
            first, last = min(line.first for line in there), max(line.last for line in there)
            lines[image] = replace(there[0], first=first, last=last)
    same = all(reach.merged == reaches[0].merged for reach in reaches)
    return Reach(lines, reaches[0].merged if same else None)
