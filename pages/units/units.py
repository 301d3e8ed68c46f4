"""Every layer of a model, its channels on one image, and the pixels that one unit depends on."""

from saliency_view.unit_page import draw

draw()
