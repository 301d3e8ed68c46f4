"""Screenshots of every page of the app, and every complaint of the browser: `python tools/visit.py OUT_DIR`.

Each page of the sitemap is opened at three sizes, light and dark, on its own first content, and saved once
as a visitor sees it and once in full length. Exit code 1 when a page shows an error or is too wide, or the
browser reported an error or a failed request.
"""

from __future__ import annotations

import argparse
import re
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from saliency_view.sitemap import PAGES, Place  # noqa: E402
from tools.live import chromium, rest, server  # noqa: E402

SIZES = ((1440, 900), (1280, 720), (390, 844))
SCHEMES = ("light", "dark")
PHONE = 500  # pixels: narrower is a phone, with touch and a dense screen
LONGEST = 8000
LOOKED_UP = re.compile(r"404.*/[\w-]+/_stcore/(health|host-config)")  # Streamlit looks for its root this way
SETTLE_MS = 700  # for the page to take its new length
ERROR = "[data-testid=stAlertContentError], [data-testid=stException]"
LENGTH = "() => document.querySelector('[data-testid=stMain]').scrollHeight"
OVERFLOW = """() => { const main = document.querySelector('[data-testid=stMain]');
  return Math.max(0, main.scrollWidth - main.clientWidth); }"""


class Visit(NamedTuple):
    """One page at one size in one colour scheme."""

    place: Place
    width: int
    height: int
    scheme: str

    @property
    def name(self) -> str:
        return f"{self.place.url_path}-{self.width}x{self.height}-{self.scheme}"

    @property
    def path(self) -> str:
        return "" if self.place.default else self.place.url_path


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("out", type=Path, metavar="OUT_DIR")
    parser.add_argument("--page", action="append", default=[], help="only this page, by its address")
    given = parser.parse_args()
    given.out.mkdir(parents=True, exist_ok=True)
    places = [place for place in PAGES if not given.page or place.url_path in given.page]
    visits = [Visit(place, *size, scheme) for place in places for size in SIZES for scheme in SCHEMES]
    complaints: list[str] = []
    print(f"{'page':<40} {'seconds':>8} {'length':>7} {'too wide':>9}  complaints")
    with (given.out / "server.log").open("wb") as log, server(log=log) as app, chromium() as browser:
        for visit in visits:
            found = made(browser, app.url, visit, given.out)
            complaints += [f"{visit.name}: {one}" for one in found]
    for one in complaints:
        print(one)
    print(f"{len(visits)} visits, {2 * len(visits)} screenshots in {given.out}, {len(complaints)} complaints")
    return 1 if complaints else 0


def made(browser: Any, url: str, visit: Visit, out: Path) -> list[str]:
    """Make one visit: save both screenshots, print a line, and return the complaints."""
    phone = visit.width < PHONE
    context = browser.new_context(
        viewport={"width": visit.width, "height": visit.height},
        color_scheme=visit.scheme,
        device_scale_factor=2 if phone else 1,
        is_mobile=phone,
        has_touch=phone,
    )
    page = context.new_page()
    complaints: list[str] = []
    listen(page, complaints.append)
    began = time.perf_counter()
    page.goto(f"{url}/{visit.path}")
    try:
        seconds = rest(page) - began
    except TimeoutError as problem:
        complaints.append(str(problem))
        seconds = time.perf_counter() - began
    complaints += [f"shown: {text}" for text in page.locator(ERROR).all_inner_texts()]
    page.screenshot(path=out / f"{visit.name}.png")
    wide, length = page.evaluate(OVERFLOW), page.evaluate(LENGTH)
    page.set_viewport_size({"width": visit.width, "height": min(max(length, visit.height), LONGEST)})
    page.wait_for_timeout(SETTLE_MS)
    page.screenshot(path=out / f"{visit.name}-full.png")
    context.close()
    if wide:
        complaints.append(f"the page is {wide} pixels wider than the window")
    print(f"{visit.name:<40} {seconds:8.2f} {length:7d} {wide:9d}  {len(complaints)}", flush=True)
    return complaints


def listen(page: Any, complain: Callable[[str], None]) -> None:
    """Report what a browser's console shows in red, exceptions, and requests that failed."""

    def tell(complaint: str) -> None:
        if not LOOKED_UP.search(complaint):
            complain(complaint)

    page.on(
        "console",
        lambda said: (
            tell(f"console: {said.text} {said.location.get('url')}") if said.type == "error" else None
        ),
    )
    page.on("pageerror", lambda error: tell(f"exception: {error}"))
    page.on("requestfailed", lambda asked: tell(f"failed: {asked.url} {asked.failure}"))
    page.on("response", lambda got: tell(f"status {got.status}: {got.url}") if got.status >= 400 else None)


if __name__ == "__main__":
    sys.exit(main())
