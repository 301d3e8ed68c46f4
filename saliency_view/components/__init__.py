"""The app's own visual components: the viewer, the bars and the grid."""

from saliency_core.render.numbers import number_text
from saliency_view.components.bars import Bar, bars
from saliency_view.components.grid import grid
from saliency_view.components.viewer import Palette, ViewerState, viewer

__all__ = ["Bar", "Palette", "ViewerState", "bars", "grid", "number_text", "viewer"]
