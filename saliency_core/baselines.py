"""Images that stand for "nothing to see": what path methods start from, in raw pixel values."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import ClassVar, Protocol, Self, TypeVar, runtime_checkable

import numpy as np

from saliency_core.arrays import Array, Float, Points, read_only
from saliency_core.errors import SettingError
from saliency_core.registry import Registered, register
from saliency_core.spec import Integer, Real, Text, param, specs

WHITE = 255.0
LEVELS = 256
GALLERY_KEPT = 48
R = TypeVar("R", bound=Registered)
Known = Mapping[str, tuple[str, Float]]  # digest and pixels (H, W, C) of pictures, by name


class Baseline(Registered):
    """An image that contributions are measured against; it may depend on the image that is explained."""

    family: ClassVar[str] = "baseline"

    def of(self, points: Points) -> Points:
        """Return the baseline of each point, (B, H, W, C) raw pixels 0..255."""
        raise NotImplementedError


@register("baseline", "black", title="Black")
@dataclass(frozen=True)
class Black(Baseline):
    """A black image: every raw pixel value is 0."""

    def of(self, points: Points) -> Points:
        return np.zeros(points.shape, np.float32)


@register("baseline", "white", title="White")
@dataclass(frozen=True)
class White(Baseline):
    """A white image: every raw pixel value is 255."""

    def of(self, points: Points) -> Points:
        return np.full(points.shape, WHITE, np.float32)


@register("baseline", "mean", title="Mean colour")
@dataclass(frozen=True)
class Mean(Baseline):
    """An image of one colour, the mean of each channel of the image itself."""

    def of(self, points: Points) -> Points:
        mean = points.mean((1, 2), dtype=np.float64, keepdims=True)
        return np.broadcast_to(mean, points.shape).astype(np.float32)


@register("baseline", "blurred", title="Blurred")
@dataclass(frozen=True)
class Blurred(Baseline):
    """The image itself out of focus; beyond its edge it goes on as it ends there."""

    sigma: float = param(
        Real(
            10.0,
            low=0.5,
            high=50.0,
            step=0.5,
            unit="pixels",
            title="Width of the blur",
            help="Standard deviation of the blur.",
        )
    )

    def of(self, points: Points) -> Points:
        from scipy.ndimage import gaussian_filter  # type: ignore[import-untyped,unused-ignore]

        wide = (0, self.sigma, self.sigma, 0)
        found: Array = gaussian_filter(points.astype(np.float64), wide, mode="nearest")
        return found.astype(np.float32)


@register("baseline", "noise", title="Random pixels")
@dataclass(frozen=True)
class Noise(Baseline):
    """An image of random pixels, every grey level as likely as any other."""

    seed: int = param(Integer(0, low=0, high=2**32 - 1, title="Seed", help="Which random image."))

    def of(self, points: Points) -> Points:
        return np.broadcast_to(random_pixels(self.seed, points.shape[1:]), points.shape)


@register("baseline", "picture", title="Another picture")
@dataclass(frozen=True)
class Picture(Baseline):
    """A picture of the gallery, or one handed over beside the image, brought to the model's size.

    A picture that is handed over is named by its digest, and its pixels travel apart from the spelling.
    """

    name: str = param(Text("chelsea", title="Picture", help="Its name in the gallery, or its digest."))
    pixels: Float | None = field(default=None, compare=False, repr=False)  # (H, W, C)

    @property
    def pictures(self) -> tuple[str, ...]:
        """The one it is."""
        return (self.name,)

    def with_pictures(self, known: Known) -> Picture:
        """Return it with its pixels, named by their digest."""
        if self.name not in known:
            return self
        return replace(self, name=known[self.name][0], pixels=known[self.name][1])

    def on_picture(self, name: str) -> Picture:
        """Return the other picture."""
        return Picture(name)

    def of(self, points: Points) -> Points:
        pixels = self.pixels if self.pixels is not None else from_gallery(self.name, points.shape[1:])
        if pixels.shape != points.shape[1:]:
            raise SettingError(
                f"The picture {self.name[:60]!r} is {pixels.shape} where the image is {points.shape[1:]}.",
                "Let explain(..., pictures=...) bring it to the model's size.",
            )
        return np.broadcast_to(pixels, points.shape)


def random_pixels(seed: int | list[int], shape: tuple[int, ...]) -> Float:
    """Return whole grey levels, every one as likely; the same for the same seed."""
    return np.random.default_rng(seed).integers(0, LEVELS, shape).astype(np.float32)


@lru_cache(GALLERY_KEPT)
def from_gallery(name: str, shape: tuple[int, int, int]) -> Float:
    """Return a picture of the gallery at a size, (H, W, C); SettingError where there is none of that name."""
    from saliency_core.gallery import sample
    from saliency_core.images import fit, read_image

    if name not in gallery_names():
        raise SettingError(
            f"There is no picture {name[:60]!r}.",
            f"Choose one of the gallery, such as {gallery_names()[0]}, or give your own: upload it on the "
            "page, or in Python explain(..., pictures={name: image}).",
        )
    return read_only(fit(read_image(sample(name).read()), *shape).copy())


def gallery_names() -> tuple[str, ...]:
    """Return the names of the gallery's pictures."""
    from saliency_core.gallery import gallery

    return tuple(one.id for one in gallery())


@runtime_checkable
class Pictured(Protocol):
    """A part of a method that speaks of pictures by name, whose pixels may be handed over."""

    @property
    def pictures(self) -> tuple[str, ...]:
        """The names of the pictures it speaks of."""

    def with_pictures(self, known: Known) -> Self:
        """Return the same part with the pixels of those that are known."""

    def on_picture(self, name: str) -> Self:
        """Return the same part, speaking of this picture as well, or instead where there is one place."""


def pictures_in(part: Registered) -> tuple[str, ...]:
    """Return the names of all pictures that a method and its parts speak of."""
    found: list[str] = []

    def noted(one: Registered) -> Registered:
        found.extend(one.pictures if isinstance(one, Pictured) else ())
        return one

    _rebuilt(part, noted)
    return tuple(found)


def with_pictures(part: R, known: Known) -> R:
    """Return a method with the pixels of its pictures; `known` is digest and pixels (H, W, C) by name."""
    return _rebuilt(part, lambda one: one.with_pictures(known) if isinstance(one, Pictured) else one)


def on_picture(part: R, name: str) -> R:
    """Return a method that starts from a picture wherever it, or a part of it, starts from a baseline.

    Raises SettingError where nothing starts from a baseline.
    """

    def started(one: Registered) -> Registered:
        if isinstance(one, Pictured):
            return one.on_picture(name)
        return Picture(name) if isinstance(one, Baseline) else one

    changed = _rebuilt(part, started)
    if name not in pictures_in(changed):
        raise SettingError(
            f"{part.id} starts from no baseline.", "Choose a method with one, such as integrated_gradients()."
        )
    return changed


def _rebuilt(part: R, change: Callable[[Registered], Registered]) -> R:
    """Return the same method with every part of it changed, the inner ones first."""
    inner = {name: value for name in specs(part) if isinstance(value := getattr(part, name), Registered)}
    rebuilt = {name: _rebuilt(value, change) for name, value in inner.items()}
    return change(replace(part, **rebuilt) if rebuilt else part)  # type: ignore[type-var, return-value]
