"""Every model, method and target of the lab, from the same tables as the menus."""

from saliency_view.reference import draw

draw()
