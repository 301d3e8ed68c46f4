"""What a map looks like: how channels become one number, which sign is shown, in which colours."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

from saliency_core import kinds
from saliency_core.errors import SettingError
from saliency_core.registry import Registered, register
from saliency_core.render.palettes import DIVERGING, SEQUENTIAL, palette, palettes
from saliency_core.spec import Choice, Flag, Integer, Real, param

AUTO = "auto"


@register("look", "look", title="Look")
@dataclass(frozen=True)
class Look(Registered):
    """How a map is drawn; it never changes the numbers.

    The palette `auto` becomes the first one that fits the sign as soon as the look is made, so that a
    spelling always names its colours. `channel` is 0 unless one channel is shown. Raises SettingError for
    pairs that would lie: an L2 norm has no sign to show, and a signed map needs a palette with a neutral
    middle, every other map one without.
    """

    reduce: str = param(
        Choice(
            "max_abs",
            title="Channels",
            help="How the channels of a pixel become one number. The largest keeps its sign; the sum is "
            "what happens when all channels brighten together.",
            options=("max_abs", "sum", "l2", "channel"),
            titles=("Largest channel", "Sum of channels", "Length (L2 norm)", "One channel"),
        )
    )
    channel: int = param(
        Integer(0, low=0, title="Channel", help="Which channel is shown, counted from 0, if only one is.")
    )
    sign: str = param(
        Choice(
            "magnitude",
            title="Sign",
            help="Sizes alone, both signs in two hues, only what raises the score, or only what lowers it.",
            options=("magnitude", "signed", "positive", "negative"),
            titles=("Size", "Both signs", "Raises", "Lowers"),
        )
    )
    clip: float = param(
        Real(
            99.0,
            low=50.0,
            high=100.0,
            step=0.1,
            unit="%",
            title="Clip",
            help="Share of the pixels other than 0 that fit on the scale; the rest gets its end colours.",
        )
    )
    limit: float = param(
        Real(
            0.0,
            low=0.0,
            step=0.0,
            title="Locked scale",
            help="Value at the end of the scale, the same for maps to compare; 0 takes it from the map.",
        )
    )
    palette: str = param(
        Choice(
            AUTO,
            title="Palette",
            help="Colours that colour-blind people can tell apart.",
            options=(AUTO, *(found.id for found in palettes())),
            titles=("Fits the sign", *(found.title for found in palettes())),
        )
    )
    opacity: float = param(
        Real(
            0.9,
            low=0.0,
            high=1.0,
            step=0.05,
            title="Opacity",
            help="How strongly the largest values cover the image; at 0 only the image is seen.",
        )
    )
    threshold: float = param(
        Real(
            0.0,
            low=0.0,
            high=1.0,
            step=0.01,
            title="Threshold",
            help="Values smaller than this share of the scale are not drawn.",
        )
    )

    backdrop: str = param(
        Choice(
            "grey",
            title="Photo under the map",
            help="In grey, every colour on the picture is the map's; in colour, the two mix.",
            options=("grey", "colour"),
            titles=("Grey", "Colour"),
        )
    )
    faded: bool = param(
        Flag(
            False,
            title="Fade noise",
            help="Leaves out pixels whose value is below two standard errors: more samples may bring them "
            "back. Only maps that are a mean of samples have such an error.",
        )
    )
    smooth: bool = param(
        Flag(
            True,
            title="Smooth",
            help="A coarse map is drawn as a surface through its numbers; off, each number is a block.",
        )
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.reduce != "channel":
            object.__setattr__(self, "channel", 0)
        if self.reduce == "l2" and self.sign != "magnitude":
            raise SettingError(
                f"look: the L2 norm over channels has no sign, {self.sign!r} cannot be shown.",
                "Choose sign='magnitude', or reduce='sum' or 'max_abs'.",
            )
        if self.palette == AUTO:
            object.__setattr__(self, "palette", palettes(self.palette_family)[0].id)
        elif palette(self.palette).family != self.palette_family:
            raise SettingError(
                f"look: palette {self.palette!r} is {palette(self.palette).family}, "
                f"sign {self.sign!r} needs a {self.palette_family} one.",
                f"Choose one of: {', '.join(self.fitting_palettes)}.",
            )

    @classmethod
    def for_kind(cls, kind: str) -> Look:
        """Return the look that suits a kind of map, such as "sensitivity"."""
        return cls(**kinds.kind(kind).look)  # type: ignore[arg-type]

    @property
    def palette_family(self) -> str:
        """The family of palettes that this sign needs."""
        return DIVERGING if self.sign == "signed" else SEQUENTIAL

    @property
    def fitting_palettes(self) -> tuple[str, ...]:
        """The ids of the palettes that fit this sign."""
        return tuple(found.id for found in palettes(self.palette_family))

    def with_sign(self, sign: str) -> Look:
        """Return this look with another sign; palette and, after an L2 norm, the reduction follow."""
        reduce = "sum" if self.reduce == "l2" and sign != "magnitude" else self.reduce
        return dataclasses.replace(self, sign=sign, reduce=reduce, palette=self._palette_for(sign))

    def with_reduce(self, reduce: str, channel: int = 0) -> Look:
        """Return this look with another reduction; the L2 norm brings sign and palette along."""
        sign = "magnitude" if reduce == "l2" else self.sign
        return dataclasses.replace(
            self, reduce=reduce, channel=channel, sign=sign, palette=self._palette_for(sign)
        )

    def _palette_for(self, sign: str) -> str:
        return self.palette if (sign == "signed") == (self.sign == "signed") else AUTO
