"""Every page of the app, in the order of the menu. A new page is a file and a line here."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parent.parent


@dataclass(frozen=True)
class Place:
    """One page: its file, its title, its address and the section it stands in."""

    file: str
    title: str
    url_path: str
    section: str
    icon: str
    default: bool = False

    @property
    def path(self) -> Path:
        """The file that draws the page."""
        return ROOT / self.file


PAGES = (
    Place("pages/explain/explain.py", "Explain an image", "explain", "Explain", "visibility", True),
    Place("pages/units/units.py", "Layers and units", "units", "Explain", "grid_view"),
    Place("pages/units/output_gradient.py", "Output gradient", "output-gradient", "Explain", "tune"),
    Place("pages/learn/pixel_gradient.py", "Pixel gradient", "pixel-gradient", "Learn", "school"),
    Place("pages/learn/recipe.py", "Classic figure", "recipe", "Learn", "grid_on"),
    Place("pages/reference/reference.py", "Reference", "reference", "Reference", "menu_book"),
    Place("pages/about/about.py", "About", "about", "Reference", "info"),
)
