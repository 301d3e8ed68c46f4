"""From one value per channel to one number per pixel, without losing a sign that is asked for."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from saliency_core.arrays import Array, Float
from saliency_core.errors import NotFiniteError, SettingError
from saliency_core.render.look import Look

Numbers = NDArray[np.floating[Any]]
CERTAIN = 2.0  # standard errors that a value must reach to be told from noise
ROUNDING = float(np.finfo(np.float32).eps)


def reduce_channels(values: Array, look: Look) -> Float:
    """Return the map (H, W) float32 that a look shows, in the units of the values.

    `values` are (H, W, C) or (H, W), real numbers. Maps of sign "positive" and "negative" hold the size of
    that part and 0 elsewhere. Raises SettingError for other shapes and for a channel that is not there,
    NotFiniteError for NaN, infinities and sums beyond float32.
    """
    with np.errstate(over="ignore", invalid="ignore"):
        one = _finite(signed_map(values, look).astype(np.float32))
    return _SIGNS[look.sign](one)


def indistinct(values: Array, error: Array | None, look: Look) -> NDArray[np.bool_] | None:
    """Return which pixels (H, W) lie below two standard errors, or None where that is not known.

    error: the standard error of each of the values. Channels that are added up may err together, so their
    errors are added up as well; of the largest channel, and of one channel, it is that channel's own.
    """
    if error is None:
        return None
    sizes = np.abs(signed_map(values, look))
    if np.ndim(error) == 2:
        return np.asarray(sizes < CERTAIN * error)
    if look.reduce == "max_abs":
        at = np.abs(values).argmax(-1, keepdims=True)
        one: Array = np.take_along_axis(np.asarray(error), at, -1)[..., 0]
    else:
        one = signed_map(np.asarray(error), look)
    return np.asarray(sizes < CERTAIN * one)


def strongest(values: Array, look: Look, error: Array | None = None) -> NDArray[np.bool_]:
    """Return which pixels (H, W) are the strongest of those that a look shows; none where it shows nothing.

    error: the standard error of each of the values, for looks that leave out what is within the noise.
    """
    sizes = np.abs(reduce_channels(values, look))
    faint = indistinct(values, error, look) if look.faded else None
    if faint is not None:
        sizes[faint] = 0
    return np.asarray((sizes > 0) & (sizes == sizes.max()))


def signed_map(values: Array, look: Look) -> Numbers:
    """Return one number per pixel, (H, W), before the sign is chosen; an L2 norm has none to lose."""
    values = np.asarray(values)
    if values.ndim == 2:
        return values
    if values.ndim != 3 or 0 in values.shape:
        raise SettingError(f"A map is (H, W, C) or (H, W), this one is {values.shape}.")
    if look.reduce == "channel" and look.channel >= values.shape[2]:
        raise SettingError(
            f"look: there is no channel {look.channel}, the map has {values.shape[2]}.",
            f"Give a channel from 0 to {values.shape[2] - 1}.",
        )
    return _REDUCTIONS[look.reduce](values, look.channel)


def _largest(values: Array, _: int) -> Numbers:
    at = np.abs(values).argmax(-1, keepdims=True)
    return np.take_along_axis(values, at, -1)[..., 0]


def _sum(values: Array, _: int) -> Numbers:
    """Channels added up; a sum that cancels to less than the rounding of its terms is 0, not noise."""
    wide = values.astype(np.float64)
    added = wide.sum(-1)
    return np.where(np.abs(added) < ROUNDING * np.abs(wide).sum(-1), 0.0, added)


def _length(values: Array, _: int) -> Numbers:
    length: Numbers = np.sqrt(np.square(values.astype(np.float64)).sum(-1))
    return length


def _one(values: Array, channel: int) -> Numbers:
    return values[..., channel]


def _finite(one: Float) -> Float:
    if not np.isfinite(one).all():
        raise NotFiniteError(
            f"{np.count_nonzero(~np.isfinite(one))} of {one.size} pixels have no finite value.",
            "The gradient overflowed: try the logit instead of the probability, or another method.",
        )
    return one


_REDUCTIONS: dict[str, Callable[[Array, int], Numbers]] = {
    "max_abs": _largest,
    "sum": _sum,
    "l2": _length,
    "channel": _one,
}
_SIGNS: dict[str, Callable[[Float], Float]] = {
    "signed": np.array,
    "magnitude": np.abs,
    "positive": lambda one: np.maximum(one, np.float32(0)),
    "negative": lambda one: np.maximum(-one, np.float32(0)),
}
