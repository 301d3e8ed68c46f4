"""Pages run as a browser runs them: drawn, waited for, and drawn again when their computations have ended."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from saliency_core.workers.jobs import Job
from saliency_view import compute
from saliency_view.sitemap import PAGES

APP = Path(__file__).parents[2] / "app.py"
SESSION = "test session id"  # what AppTest calls every session
PATIENCE = 90.0


@pytest.fixture(scope="package", autouse=True)
def _workers() -> Iterator[None]:
    assert compute.table().pool.wait_ready(PATIENCE)
    yield
    compute.close()


def settled(page: AppTest) -> AppTest:
    """Draw a page until nothing it asked for is under way, as a browser that follows its jobs does.

    The last drawing begins when all of its jobs have ended: one that ends while it is drawn may be missing.
    """
    while True:
        before = {id(job) for job in asked().values() if job.ended}
        page.run()
        jobs = list(asked().values())
        if all(id(job) in before for job in jobs):
            return page
        for job in jobs:
            assert job.wait(PATIENCE), f"{job.key} took longer than {PATIENCE:g} s"


def asked() -> dict[str, Job]:
    """Return the last job of each panel of the page."""
    return {panel: job for (session, panel), job in compute.table()._latest.items() if session == SESSION}


def fine(page: AppTest) -> None:
    """Fail if the page shows an error or an exception."""
    assert not page.exception, [e.value for e in page.exception]
    assert not page.error, [e.value for e in page.error]


def open_page(url_path: str = "explain", **query: str) -> AppTest:
    page = AppTest.from_file(str(APP), default_timeout=PATIENCE)
    for name, value in query.items():
        page.query_params[name] = value
    settled(page)
    place = next(place for place in PAGES if place.url_path == url_path)
    return page if place.default else settled(page.switch_page(place.file))


@pytest.fixture
def visit() -> Iterator[Callable[..., Any]]:
    """Return a function that opens a page by its address, with query parameters, and waits for its maps."""
    yield open_page
    compute.table().forget(SESSION)
