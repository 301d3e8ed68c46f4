"""Does a map lie where the truth lies? Three measures against an exact mask, in NumPy."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from saliency_core.arrays import Array, Float
from saliency_core.errors import SettingError
from saliency_core.kinds import kind
from saliency_core.render.look import Look
from saliency_core.render.reduce import reduce_channels

Mask = NDArray[np.bool_]
Numbers = NDArray[np.floating[Any]]
BY_SIZE = ("sensitivity", "signal")


def heat_of(values: Array, of: str) -> Float:
    """Return a map of a kind as heat: one number a pixel, (H, W), never negative, more where it points.

    A sensitivity or a signal counts by size, whichever its sign. Of a contribution or a region counts what
    speaks for the score: channels added up, and nothing where they speak against it. Squares are added up.
    """
    sign = "magnitude" if of in BY_SIZE else "positive"
    return reduce_channels(values, Look(reduce=str(kind(of).look["reduce"]), sign=sign))


def pointing(heat: Array, mask: Mask) -> float:
    """Tell whether the largest number of a map lies in the mask: 1 or 0, or the share of its ties that do.

    `heat` is (H, W) and never negative, `mask` (H, W) bool. A map whose pixels are all the same points
    nowhere and gets the mask's share of the image. Raises SettingError for other shapes and numbers.
    """
    numbers = _checked(heat, mask)
    return float(mask[numbers == numbers.max()].mean())


def energy_inside(heat: Array, mask: Mask) -> float:
    """Return the share of a map's sum that lies in the mask; a map of zeros counts as an even one."""
    numbers = _checked(heat, mask)
    whole = float(numbers.sum())
    return float(numbers[mask].sum() / whole) if whole else float(mask.mean())


def iou_at_area(heat: Array, mask: Mask) -> float:
    """Return intersection over union of the mask and as many of the map's largest pixels as it has.

    Where the last places go to pixels of the same size, each of these counts in part, so that no order of
    pixels decides.
    """
    numbers = _checked(heat, mask)
    wanted = int(mask.sum())
    last = np.partition(numbers, numbers.size - wanted, axis=None)[numbers.size - wanted]
    above, tied = numbers > last, numbers == last
    share = (wanted - int(above.sum())) / int(tied.sum())
    common = float(mask[above].sum() + share * mask[tied].sum())
    return common / (2 * wanted - common)


def _checked(heat: Array, mask: Mask) -> Numbers:
    """Return the map in float64; SettingError where it is no map for this mask."""
    numbers = np.asarray(heat, np.float64)
    if numbers.ndim != 2 or numbers.shape != mask.shape or mask.dtype != np.bool_:
        raise SettingError(
            f"A map (H, W) and a mask (H, W) of bool belong together, these are {numbers.shape} and "
            f"{mask.dtype} {mask.shape}.",
            "Reduce the map to one number a pixel, at the size of the mask.",
        )
    if not mask.any():
        raise SettingError("The mask is empty: there is nothing to point at.")
    if not np.isfinite(numbers).all() or numbers.min() < 0:
        raise SettingError(
            f"A map to be located has no negative and no infinite numbers, this one goes from "
            f"{numbers.min():.3g} to {numbers.max():.3g}.",
            "Take its size or its positive part first.",
        )
    return numbers
