"""Explain one output of a model on one image."""

from saliency_view.explaining import draw

draw()
