"""From an output to the pixels: the question that started it, with live numbers."""

from saliency_view.lessons.pixel_gradient import draw

draw()
