"""What a reshape does to lines back to the pixels: axes kept, put together, or taken apart."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from math import prod

from saliency_core.engine.spans import Line, Merged, Reach

Shape = tuple[int, ...]
Group = tuple[tuple[int, ...], tuple[int, ...]]  # axes before, axes after, of the same size together


def reshaped(reach: Reach, before: Shape, after: Shape) -> Reach:
    """Return the reach after a reshape; axes that get mixed lose their line."""
    if reach.merged is not None and after[: len(reach.merged.shape)] == reach.merged.shape:
        return Reach(reach.merged.lines)
    lines: dict[int, Line] = {}
    merged = None
    for old, new in _groups(before, after):
        inside = {image: line for image, line in reach.lines.items() if line.axis in old}
        if old[:1] == (0,) and new == (0,) and len(old) > 1:
            merged = Merged(tuple(before[axis] for axis in old), inside)
        for image, line in inside.items():
            found = _followed(line, (old, new), before, after)
            if found is not None:
                lines[image] = found
    return Reach(lines, merged)


def _groups(before: Shape, after: Shape) -> list[Group]:
    """Return the smallest runs of axes, before and after, that hold the same number of cells."""
    found: list[Group] = []
    i = j = 0
    while i < len(before) or j < len(after):
        old, new = [i] if i < len(before) else [], [j] if j < len(after) else []
        i, j = i + 1, j + 1
        while _size(before, old) != _size(after, new):
            if _size(before, old) < _size(after, new) and i < len(before):
                old.append(i)
                i += 1
            elif j < len(after):
                new.append(j)
                j += 1
            else:
                return found
        found.append((tuple(a for a in old if a < len(before)), tuple(a for a in new if a < len(after))))
    return found


def _size(shape: Shape, axes: list[int]) -> int:
    return prod(shape[axis] for axis in axes if axis < len(shape))


def _followed(line: Line, group: Group, before: Shape, after: Shape) -> Line | None:
    """Return the line on the axis of the new shape that moves with it, or None."""
    old, new = group
    others = [axis for axis in old if axis < line.axis and before[axis] > 1]
    wide = [axis for axis in new if after[axis] > 1] or list(new[:1])
    if others or not wide or line.apart > 1:
        return None
    inner = prod(before[axis] for axis in old if axis > line.axis)
    if inner > 1:  # each cell now stands for a part of one: cell i reads cell i // inner
        if len(wide) > 1:
            return None
        found = line.after((Fraction(1, inner), Fraction(1 - inner, inner), Fraction(0)))
    else:  # the outermost axis moves in steps of what lies inside it
        rest = prod(after[axis] for axis in wide[1:])
        found = line.after((Fraction(rest), Fraction(0), Fraction(rest - 1)))
    return None if found is None else replace(found, axis=wide[0])
