"""One gradient, many pictures: gradient, guided backpropagation and deconvnet as the classic figure."""

from saliency_view.lessons.recipe import draw

draw()
