"""The app's own visual components: viewer, bars, grid, plane, tiles and list of layers."""

from saliency_core.render.numbers import number_text
from saliency_view.components.bars import Bar, bars
from saliency_view.components.grid import grid
from saliency_view.components.layers import Row, layer_list
from saliency_view.components.plane import Colours, mask, plane
from saliency_view.components.tiles import tiles
from saliency_view.components.viewer import Palette, ViewerState, viewer

__all__ = [
    "Bar",
    "Colours",
    "Palette",
    "Row",
    "ViewerState",
    "bars",
    "grid",
    "layer_list",
    "mask",
    "number_text",
    "plane",
    "tiles",
    "viewer",
]
