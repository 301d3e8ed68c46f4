"""The real app on a free loopback port, and visitors with browsers of their own who report every complaint."""

from __future__ import annotations

import io
import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

import numpy as np
import pytest

from saliency_view.text import JOINER
from tools.live import CHROMIUM, chromium, rest, server

PATIENCE_MS = 60_000  # on a busy machine; none of it is slept where the condition holds
DESK: dict[str, Any] = {"viewport": {"width": 1280, "height": 900}, "accept_downloads": True}
# On a deep link Streamlit's page does not know where its server's root is: it asks below the page first, is
# told 404, and asks at the root 0.1 s later. Answering there would make it talk to a root that does not exist.
LOOKED_UP = re.compile(r"404.*/[\w-]+/_stcore/(health|host-config)")
Visit = Callable[..., "Visitor"]


@dataclass(frozen=True)
class App:
    """A running server: where it is, its process, and what it has logged."""

    url: str
    process: Any
    log_file: Path

    @property
    def log(self) -> str:
        return self.log_file.read_text(errors="replace")

    @property
    def host(self) -> str:
        return urlsplit(self.url).netloc


@pytest.fixture(scope="package")
def browser() -> Iterator[Any]:
    pytest.importorskip("playwright.sync_api")
    if not Path(CHROMIUM).exists():
        pytest.skip(f"no browser at {CHROMIUM}")
    with chromium() as opened:
        yield opened


def running(script: str, folder: Path, **environment: str) -> Iterator[App]:
    """Run a script as a server, and end it."""
    log_file = folder / "server.log"
    with log_file.open("wb") as log, server(environment, script=script, log=log) as made:
        yield App(made.url, made.process, log_file)


@pytest.fixture(scope="package")
def app(browser: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[App]:
    yield from running("app.py", tmp_path_factory.mktemp("app"))


class Visitor:
    """One person with a browser of their own; what the browser complains about is kept."""

    def __init__(self, context: Any, url: str) -> None:
        self.url = url
        self.complaints: list[str] = []
        self.uploads: list[str] = []  # addresses that took a file
        self.page = context.new_page()
        self.page.set_default_timeout(PATIENCE_MS)
        self._listen()
        self.canvas = self.page.locator("canvas.canvas")
        self.heading = self.page.locator("section.viewer .heading")
        self.sentence = self.page.get_by_text("The network says").first

    def _listen(self) -> None:
        page = self.page
        here = urlsplit(self.url).netloc

        def tell(complaint: str) -> None:
            if not LOOKED_UP.search(complaint):
                self.complaints.append(complaint)

        page.on(
            "console",
            lambda said: (
                tell(f"console: {said.text} {said.location.get('url')}") if said.type == "error" else None
            ),
        )
        page.on("pageerror", lambda error: tell(f"exception: {error}"))
        page.on("dialog", lambda dialog: (tell(f"dialog: {dialog.message}"), dialog.dismiss()))
        page.on(
            "response", lambda got: tell(f"status {got.status}: {got.url}") if got.status >= 400 else None
        )

        def asked(request: Any) -> None:
            scheme, netloc, *_ = urlsplit(request.url)
            if scheme not in ("blob", "data") and netloc != here:
                tell(f"left for {request.url}")
            if request.method == "PUT":
                self.uploads.append(request.url)

        page.on("request", asked)
        page.on(
            "websocket", lambda one: None if urlsplit(one.url).netloc == here else tell(f"left for {one.url}")
        )

    def open(self, path: str = "", **query: str) -> Visitor:
        """Go to a page and wait until all of it is there."""
        self.page.goto(f"{self.url}/{path}?{urlencode(query)}")
        return self.rest()

    def rest(self) -> Visitor:
        rest(self.page, PATIENCE_MS / 1000)
        return self

    def address(self) -> dict[str, str]:
        return dict(parse_qsl(urlsplit(self.page.url).query))

    def wait_for_address(self, **words: str) -> Visitor:
        """Wait until the address bar says this, and the page has come to rest."""

        def says(url: str) -> bool:
            return words.items() <= dict(parse_qsl(urlsplit(url).query)).items()

        self.page.wait_for_url(says, timeout=PATIENCE_MS)
        return self.rest()

    def text(self, pattern: str) -> str:
        """Return the text that is shown in the smallest place with a pattern in it, as it reads."""
        found = self.page.get_by_text(re.compile(pattern)).first.inner_text()
        return " ".join(found.replace(JOINER, "").split())

    @property
    def facts(self) -> str:
        return self.text(r"^Image:")

    def bar(self, place: int) -> tuple[int, str]:
        """Return index and label of the class at a place of the predictions."""
        row = self.page.locator("button.bar-row").nth(place)
        return int(row.get_attribute("data-index")), row.get_attribute("title")

    def explain_class(self, place: int) -> int:
        """Press a bar of the predictions and wait for its map; return the class."""
        index, _ = self.bar(place)
        self.page.locator("button.bar-row").nth(place).click()
        self.wait_for_heading(f"Gradient of the logit of class {index}")
        self.wait_for_address(target=f"class_logit({index})")
        return index

    def wait_for_heading(self, text: str) -> None:
        self.page.locator("section.viewer .heading", has_text=text).wait_for()

    def choose(self, label: str, option: str) -> Visitor:
        """Choose an option of a list by its text; a list that scrolling has closed again is opened anew."""
        from playwright.sync_api import TimeoutError as Late

        field = self.page.get_by_role("combobox", name=label, exact=True)
        wanted = self.page.get_by_role("option", name=option, exact=True)
        for patience_ms in (2000, 4000, 8000, PATIENCE_MS):
            field.click()
            try:
                wanted.click(timeout=patience_ms)
                return self
            except Late:
                field.scroll_into_view_if_needed()
        raise AssertionError(f"{label} offers no {option}")

    def picture(self) -> str:
        """Return what the canvas shows now, as one text."""
        found: str = self.canvas.evaluate("canvas => canvas.toDataURL()")
        return found

    def colours(self) -> int:
        """Return how many colours the canvas shows."""
        found: int = self.canvas.evaluate(
            """canvas => { const { data } = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height);
            return new Set(new Uint32Array(data.buffer)).size; }"""
        )
        return found

    def point_at(self, row: int, column: int) -> dict[str, str]:
        """Point at a pixel of the picture and return what the readout says."""
        data = self.canvas.evaluate("c => ({...c.dataset})")
        scale, left, top = (float(data[name]) for name in ("scale", "left", "top"))
        self.canvas.hover(position={"x": left + (column + 0.5) * scale, "y": top + (row + 0.5) * scale})
        names = ("pixel", "photo", "value", "channels")
        return {name: self.page.locator(f"[data-field={name}]").inner_text() for name in names}

    def slide(self, name: str, value: float) -> None:
        """Move a slider of the viewer and let it go."""
        self.page.locator(f"input[data-name={name}]").evaluate(
            "(s, v) => { s.value = v; s.dispatchEvent(new Event('input', {bubbles: true}));"
            " s.dispatchEvent(new Event('change', {bubbles: true})); }",
            value,
        )

    def download(self, label: str) -> bytes:
        """Return the file behind a button; a press that meets the page being drawn anew is repeated."""
        from playwright.sync_api import TimeoutError as Late

        for patience_ms in (10_000, 20_000, PATIENCE_MS):
            try:
                with self.page.expect_download(timeout=patience_ms) as waiting:
                    self.page.get_by_role("button", name=label, exact=True).click()
                return Path(waiting.value.path()).read_bytes()
            except Late:
                self.rest()
        raise AssertionError(f"no file came of {label}")

    def numbers(self) -> tuple[np.ndarray, np.ndarray, dict[str, Any]]:
        """Return the map, the pixels and the recipe of the raw file."""
        file = np.load(io.BytesIO(self.download("Raw map NPZ")), allow_pickle=False)
        return file["values"], file["pixels"], json.loads(str(file["recipe"]))

    def upload(self, name: str, data: bytes, mime: str = "image/png") -> Visitor:
        """Give the page a file; the caller waits for what is to come of it."""
        self.page.get_by_role("radio", name="Upload", exact=True).click()
        field = self.page.locator("input[type=file][accept*='.png']")
        field.wait_for(state="attached")
        field.set_input_files({"name": name, "mimeType": mime, "buffer": data})
        return self

    def wait_for_facts(self, text: str) -> Visitor:
        """Wait until the line of facts has this text in it."""
        self.page.get_by_text(re.compile(f"^Image:.*{re.escape(text)}")).first.wait_for()
        return self.rest()

    def unnamed(self) -> list[str]:
        """Return everything to press, read or fill in that a screen reader has no name for."""
        roles = (
            "button|link|combobox|radio|slider|textbox|spinbutton|switch|checkbox|tab|img|application|grid"
        )
        tree = self.page.locator("body").aria_snapshot()
        return re.findall(rf"^\s*- (?:{roles})(?: \[[^\]]*\])*:?\s*$", tree, re.MULTILINE)

    def too_wide(self) -> int:
        """Return by how many pixels the page is wider than the window."""
        found: int = self.page.evaluate(
            """() => Math.max(...['[data-testid=stMain]', 'html', 'body'].map((name) => document.querySelector(name))
            .map((node) => node.scrollWidth - node.clientWidth))"""
        )
        return found


def visits(desk: Any, url: str) -> Iterator[Visit]:
    """Offer new visitors; at the end none may have a complaint left or have asked another host."""
    made: list[Visitor] = []

    def new(fresh: bool = False, **settings: Any) -> Visitor:
        """Sit down at the desk, whose browser has the scripts already, or at a fresh browser."""
        context = desk.browser.new_context(**{**DESK, **settings}) if fresh else desk
        made.append(Visitor(context, url))
        return made[-1]

    yield new
    for one in made:
        one.page.close()
        if one.page.context is not desk:
            one.page.context.close()
    assert [complaint for one in made for complaint in one.complaints] == []


@pytest.fixture(scope="package")
def desk(browser: Any) -> Any:
    """One browser profile for most visitors, so that the scripts are loaded once."""
    return browser.new_context(**DESK)


@pytest.fixture
def visit(desk: Any, app: App) -> Iterator[Visit]:
    yield from visits(desk, app.url)
