"""Any weighting of outputs: several classes with weights, or a mask painted on a feature map."""

from saliency_view.seed_page import draw

draw()
