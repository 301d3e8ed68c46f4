"""What the numbers of a map are: the few kinds that methods give, and the words for each."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from saliency_core.errors import SettingError

Ends = Mapping[str, tuple[str, str]]  # by the sign that is shown: what both ends of the scale mean


@dataclass(frozen=True)
class Kind:
    """One kind of map: what its values are called, what they mean, and the look to start with.

    unit: a pattern in which `{score}` stands for the unit of the score. ends: also tells which signs can
    be shown.
    """

    id: str
    quantity: str
    unit: str
    meaning: str
    ends: Ends
    look: Mapping[str, str | float] = field(default_factory=dict)


KINDS = {
    kind.id: kind
    for kind in (
        Kind(
            "sensitivity",
            "Gradient",
            "{score} per grey level",
            "Each number of the map says by how much the score changes when that value of the image becomes "
            "one grey level brighter, of 255, and everything else stays. It is a slope: it holds for small "
            "changes, and a large slope is not a large share in the answer.",
            {
                "signed": ("brighter lowers it", "brighter raises it"),
                "positive": ("no effect", "brighter raises it"),
                "negative": ("no effect", "brighter lowers it"),
                "magnitude": ("no effect", "strong effect"),
            },
            {"reduce": "max_abs", "sign": "signed"},
        ),
        Kind(
            "signal",
            "Signal",
            "{score} per grey level, by a changed rule",
            "Each number of the map is what came back through the network under a changed rule. It is no "
            "slope: no change of the score follows from it, and its size means little beside that of others.",
            {
                "signed": ("negative signal", "positive signal"),
                "positive": ("none", "positive signal"),
                "negative": ("none", "negative signal"),
                "magnitude": ("none", "strong signal"),
            },
            {"reduce": "max_abs", "sign": "signed"},
        ),
        Kind(
            "contribution",
            "Contribution",
            "{score}",
            "Each number of the map says how much that pixel adds to the score, compared with what the "
            "method puts in its place.",
            {
                "signed": ("speaks against it", "speaks for it"),
                "positive": ("nothing", "speaks for it"),
                "negative": ("nothing", "speaks against it"),
                "magnitude": ("nothing", "large share"),
            },
            {"reduce": "sum", "sign": "signed"},
        ),
        Kind(
            "relevance",
            "Relevance",
            "{score}",
            "Each number of the map is the share of the score that came to rest on that pixel after every "
            "layer had passed on what it got. It is no slope, and not what the score would lose without it.",
            {
                "signed": ("speaks against it", "speaks for it"),
                "positive": ("nothing", "speaks for it"),
                "negative": ("nothing", "speaks against it"),
                "magnitude": ("nothing", "large share"),
            },
            {"reduce": "sum", "sign": "signed"},
        ),
        Kind(
            "region",
            "Importance",
            "{score}",
            "Each number of the map belongs to an area of the image, not to a single pixel, and says how "
            "much the score rests on that area.",
            {
                "signed": ("speaks against it", "speaks for it"),
                "positive": ("little", "much"),
                "negative": ("little", "speaks against it"),
                "magnitude": ("little", "much"),
            },
            {"reduce": "sum", "sign": "positive", "clip": 100.0},
        ),
        Kind(
            "squared",
            "Squared value",
            "({score} per grey level) squared",
            "Each number of the map is a mean of squares or a variance of another method's values, so it has "
            "no sign: it says how large they are or how far they scatter, not in which direction.",
            {"magnitude": ("no effect", "strong effect")},
            {"reduce": "sum", "sign": "magnitude"},
        ),
    )
}


def kind(id: str) -> Kind:
    """Return a kind by its id; raises SettingError that lists what there is."""
    if id not in KINDS:
        raise SettingError(f"There is no kind {id[:60]!r}.", f"Choose one of: {', '.join(KINDS)}.")
    return KINDS[id]
