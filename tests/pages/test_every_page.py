"""Every page runs, every widget can be moved, and TensorFlow stays out of the server."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from saliency_view.sitemap import PAGES, ROOT
from tests.pages.conftest import fine, settled

pytestmark = pytest.mark.engine

KINDS = ("selectbox", "button_group", "slider", "number_input", "toggle", "text_input", "button")


@pytest.mark.parametrize("place", PAGES, ids=lambda place: place.url_path)
def test_page_runs_with_a_title(place: Any, visit: Callable[..., AppTest]) -> None:
    page = visit(place.url_path)
    fine(page)
    assert page.title[0].value


@pytest.mark.parametrize("place", PAGES, ids=lambda place: place.url_path)
def test_every_widget_can_be_moved(place: Any, visit: Callable[..., AppTest]) -> None:
    page = visit(place.url_path)
    fine(page)
    keys = [(kind, widget.key) for kind in KINDS for widget in getattr(page, kind)]
    moved = 0
    for kind, key in keys:
        found = [widget for widget in getattr(page, kind) if widget.key == key]
        if not found or found[0].disabled:
            continue
        _move(kind, found[0])
        fine(settled(page))
        moved += 1
    assert moved or not keys


def _move(kind: str, widget: Any) -> None:
    """Give a widget another value that it allows."""
    if kind == "button":
        widget.click()
    elif kind == "toggle":
        widget.set_value(not widget.value)
    elif kind == "text_input":
        widget.set_value(widget.value)
    elif kind in ("slider", "number_input"):
        low, high = widget.min, widget.max
        widget.set_value(high if high is not None and widget.value != high else low)
    elif kind == "selectbox":
        widget.select_index((widget.index + 1) % len(widget.options))
    else:
        widget.set_value(widget.options[-1])


def test_tensorflow_stays_out_of_the_server() -> None:
    code = (
        "import sys\n"
        "from saliency_view import compute\n"
        "from tests.pages.conftest import asked, open_page\n"
        "page = open_page()\n"
        "assert not page.exception and not page.error\n"
        "assert asked()['explain'].state == 'done' and asked()['evidence'].state == 'done'\n"
        "bad = [name for name in ('tensorflow', 'keras') if name in sys.modules]\n"
        "compute.close(); print('modules', bad); sys.exit(len(bad))\n"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=180)
    assert done.returncode == 0, done.stderr[-2000:]
    assert "modules []" in done.stdout
