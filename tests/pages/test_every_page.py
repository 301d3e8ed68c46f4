"""Every page runs, every widget can be moved, and TensorFlow stays out of the server."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from saliency_view.sitemap import PAGES, ROOT

pytestmark = pytest.mark.engine


def fine(page: AppTest) -> None:
    """Fail if the page shows an error or an exception."""
    assert not page.exception, [e.value for e in page.exception]
    assert not page.error, [e.value for e in page.error]


@pytest.mark.parametrize("place", PAGES, ids=lambda place: place.url_path)
def test_page_runs_with_a_title(place: Any, visit: Callable[..., AppTest]) -> None:
    page = visit(place.url_path)
    fine(page)
    assert page.title[0].value


@pytest.mark.parametrize("place", PAGES, ids=lambda place: place.url_path)
def test_every_widget_can_be_moved(place: Any, visit: Callable[..., AppTest]) -> None:
    page = visit(place.url_path)
    keys = {
        kind: [widget.key for widget in getattr(page, kind)]
        for kind in ("selectbox", "button_group", "slider", "number_input", "toggle", "text_input", "button")
    }
    moved = 0
    for kind, names in keys.items():
        for key in names:
            found = [widget for widget in getattr(page, kind) if widget.key == key]
            if not found or found[0].disabled:
                continue
            _move(kind, found[0])
            page.run()
            fine(page)
            moved += 1
    assert moved or place.url_path == "reference"


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
        widget.select_index(
            (widget.options.index(widget.value) + 1 if widget.value in widget.options else 1)
            % len(widget.options)
        )
    else:
        options = [option.content for option in widget.options]
        widget.set_value([options[-1]])


def test_tensorflow_stays_out_of_the_server() -> None:
    code = (
        "import sys; from streamlit.testing.v1 import AppTest\n"
        "from saliency_view import compute\n"
        "compute.table().pool.wait_ready(90)\n"
        "compute.ask.__kwdefaults__['wait'] = 60.0\n"
        "page = AppTest.from_file('app.py', default_timeout=90).run()\n"
        "assert not page.exception and not page.error\n"
        "assert any('Checked' in m.value or 'says' in m.value for m in page.markdown), page.markdown\n"
        "bad = [name for name in ('tensorflow', 'keras') if name in sys.modules]\n"
        "compute.close(); print('modules', bad); sys.exit(len(bad))\n"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=180)
    assert done.returncode == 0, done.stderr[-2000:]
    assert "modules []" in done.stdout
