"""What can be unfolded beside a map: how to read it, and what is known of the model."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import streamlit as st

from saliency_core.attribution import Attribution
from saliency_core.grammar import parse
from saliency_core.kinds import kind
from saliency_core.models.card_words import lines
from saliency_core.models.model import Card
from saliency_core.render.numbers import number_text
from saliency_core.revive import revive
from saliency_view.text import plain

SCORES = {  # what a score is, by the unit of the map
    "logit": "A logit is the number that the network computes for a class before all of them are turned into "
    "probabilities: the larger, the likelier the class.",
    "probability": "It runs from 0 to 1 and hardly moves when the network is sure; the logit tells more.",
    "activation": "An activation is the number that one unit inside the network gives on.",
}
COLOURS = (
    "Strong values cover the photo, weak ones let it show through; Map only shows the colours of the scale "
    "unmixed. What lies beyond the scale has the colour of its end. Colours never change the numbers: the "
    "readout and the files have them in full."
)


def reading(made: Attribution) -> None:
    """Explain, folded away, what the numbers and colours of this map mean."""
    unit = made.units.removesuffix(" per grey level")
    score = f"The score is the {made.words}, now {number_text(made.score)}."
    method = parse("method", made.recipe["method"])
    meaning = f"{kind(made.kind).meaning} {method.aside}".strip()
    lines = [score + (f" {SCORES[unit]}" if unit in SCORES else ""), meaning, COLOURS]
    with st.expander("How to read this map"):
        for line in filter(None, lines):
            st.markdown(plain(line))


def model_card(card: Mapping[str, Any]) -> None:
    """Show, folded away, everything that is known of the model."""
    with st.expander("About the model"):
        for title, text in lines(revive(Card, dict(card))):
            st.markdown(f"**{plain(title)}:** {plain(text)}")
