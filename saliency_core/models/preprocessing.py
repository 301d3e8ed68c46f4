"""From raw pixels 0..255 to what a network was trained on: one scale and one shift for each channel."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from saliency_core.arrays import Float, Points
from saliency_core.errors import SettingError
from saliency_core.registry import Registered, register
from saliency_core.spec import Choice, Reals, param

Numbers = NDArray[np.float64]

CAFFE_MEAN_BGR = (103.939, 116.779, 123.68)  # ImageNet, in grey levels
TORCH_MEAN_RGB = (0.485, 0.456, 0.406)  # ImageNet, in units of 255 grey levels
TORCH_STD_RGB = (0.229, 0.224, 0.225)


class Preprocessing(Registered):
    """A step from raw pixels to network input: `raw[..., order] * scale + shift`, channel by channel."""

    def affine_for(self, channels: int) -> tuple[Numbers, Numbers, str]:
        """Return scale (C,) and shift (C,) in float64, in the network's channel order, and that order.

        The order is "rgb" (channels as they come) or "bgr" (reversed). Raises SettingError when the
        step does not fit this many channels.
        """
        raise NotImplementedError

    def slope(self, channels: int) -> Numbers:
        """Return how much the network's input moves per grey level, (C,), in the order of the raw pixels."""
        scale, _, order = self.affine_for(channels)
        return scale[::-1] if order == "bgr" else scale

    def apply(self, points: Points) -> Float:
        """Return the network's input, (B, H, W, C) float32, for raw pixels 0..255 of the same shape."""
        scale, shift, order = self.affine_for(points.shape[-1])
        ordered = points[..., ::-1] if order == "bgr" else points
        return (ordered.astype(np.float64) * scale + shift).astype(np.float32)

    def _spread(self, channels: int, numbers: tuple[float, ...]) -> Numbers:
        """One number serves every channel; several must be as many as there are channels."""
        given = np.atleast_1d(np.asarray(numbers, np.float64))
        if len(given) not in (1, channels):
            raise SettingError(
                f"{type(self).id}: {len(given)} numbers were given, the model has {channels} channels.",
                f"Give one number, or {channels}.",
            )
        return np.broadcast_to(given, (channels,)).copy()

    def _need_colour(self, channels: int) -> None:
        if channels != 3:
            raise SettingError(
                f"{type(self).id}: this preprocessing is for red, green and blue; "
                f"the model has {channels} channel{'s' if channels != 1 else ''}.",
                "Choose raw, unit, symmetric, or affine with your own numbers.",
            )


@register("preprocessing", "raw", title="Raw pixels, 0 to 255")
@dataclass(frozen=True)
class Raw(Preprocessing):
    """The network takes the pixels as they are, 0 to 255."""

    def affine_for(self, channels: int) -> tuple[Numbers, Numbers, str]:
        return np.ones(channels), np.zeros(channels), "rgb"


@register("preprocessing", "unit", title="Zero to one")
@dataclass(frozen=True)
class Unit(Preprocessing):
    """Pixels divided by 255, so that they run from 0 to 1."""

    def affine_for(self, channels: int) -> tuple[Numbers, Numbers, str]:
        return np.full(channels, 1 / 255), np.zeros(channels), "rgb"


@register("preprocessing", "symmetric", title="Minus one to one")
@dataclass(frozen=True)
class Symmetric(Preprocessing):
    """Pixels divided by 127.5, less 1, so that they run from -1 to 1."""

    def affine_for(self, channels: int) -> tuple[Numbers, Numbers, str]:
        return np.full(channels, 1 / 127.5), np.full(channels, -1.0), "rgb"


@register("preprocessing", "caffe", title="Blue, green, red, less the ImageNet mean")
@dataclass(frozen=True)
class Caffe(Preprocessing):
    """Channels in the order blue, green, red, less the ImageNet mean of each."""

    def affine_for(self, channels: int) -> tuple[Numbers, Numbers, str]:
        self._need_colour(channels)
        return np.ones(3), -np.array(CAFFE_MEAN_BGR), "bgr"


@register("preprocessing", "torch", title="ImageNet mean and spread")
@dataclass(frozen=True)
class Torch(Preprocessing):
    """Pixels from 0 to 1, less the ImageNet mean, divided by the ImageNet standard deviation."""

    def affine_for(self, channels: int) -> tuple[Numbers, Numbers, str]:
        self._need_colour(channels)
        mean, std = np.array(TORCH_MEAN_RGB), np.array(TORCH_STD_RGB)
        return 1 / (255 * std), -mean / std, "rgb"


@register("preprocessing", "affine", title="Your own scale and shift")
@dataclass(frozen=True)
class Affine(Preprocessing):
    """Your own numbers: pixels times scale plus shift, after the channels are put in order."""

    scale: tuple[float, ...] = param(Reals((1.0,), help="Factor, one number or one for each channel."))
    shift: tuple[float, ...] = param(Reals((0.0,), help="Added after the factor, in the same order."))
    order: str = param(
        Choice(
            "rgb",
            help="Order of the channels that the network expects.",
            options=("rgb", "bgr"),
            titles=("red, green, blue", "blue, green, red"),
        )
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        if 0.0 in self.scale:
            raise SettingError(
                "affine: scale cannot be 0, the network would not see that channel.",
                "Give a number other than 0.",
            )

    def affine_for(self, channels: int) -> tuple[Numbers, Numbers, str]:
        if self.order == "bgr":
            self._need_colour(channels)
        return self._spread(channels, self.scale), self._spread(channels, self.shift), self.order
