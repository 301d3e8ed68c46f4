"""Pages run as a browser would run them, with real workers, but patient enough to wait for each map."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from saliency_view import compute
from saliency_view.sitemap import PAGES

APP = Path(__file__).parents[2] / "app.py"


@pytest.fixture(scope="session", autouse=True)
def _workers() -> Iterator[None]:
    compute.table().pool.wait_ready(90)
    yield
    compute.close()


@pytest.fixture
def visit(monkeypatch: pytest.MonkeyPatch) -> Callable[..., AppTest]:
    """Return a function that opens a page by its address, with query parameters, and waits for its maps."""
    monkeypatch.setattr(compute, "PATIENCE", 60.0)
    monkeypatch.setattr(compute.ask, "__kwdefaults__", {"background": False, "wait": 60.0})

    def open_page(url_path: str = "explain", **query: str) -> AppTest:
        page = AppTest.from_file(str(APP), default_timeout=90)
        for name, value in query.items():
            page.query_params[name] = value
        page.run()
        place = next(place for place in PAGES if place.url_path == url_path)
        if not place.default:
            page.switch_page(place.file).run()
        return page

    return open_page
