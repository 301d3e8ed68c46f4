"""A real browser on the demo app of the components."""

from __future__ import annotations

import base64
import json
import os
import re
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

ROOT = Path(__file__).parents[2]
CHROMIUM = os.environ.get("CHROMIUM", "/usr/bin/chromium")
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


@pytest.fixture(scope="package")
def demo_address() -> Iterator[str]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    script = str(Path(__file__).with_name("demo_components.py"))
    settings = ["--server.headless=true", "--server.fileWatcherType=none", "--browser.gatherUsageStats=false"]
    command = [sys.executable, "-m", "streamlit", "run", script, f"--server.port={port}", *settings]
    with subprocess.Popen(
        command, cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT)}, stdout=subprocess.DEVNULL
    ) as server:
        url = f"http://127.0.0.1:{port}"
        _wait_until_up(url)
        yield url
        server.terminate()


def _wait_until_up(url: str) -> None:
    for _ in range(150):
        try:
            urllib.request.urlopen(f"{url}/_stcore/health", timeout=1)
            return
        except OSError:
            time.sleep(0.1)
    raise TimeoutError(f"The demo app did not start at {url}.")


@pytest.fixture(scope="package")
def browser() -> Iterator[Any]:
    sync_api = pytest.importorskip("playwright.sync_api")
    if not Path(CHROMIUM).exists():
        pytest.skip(f"no browser at {CHROMIUM}")
    with sync_api.sync_playwright() as play:
        opened = play.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield opened
        opened.close()


class Demo:
    """A page of the demo app: its canvas, its answers, its reruns."""

    def __init__(self, page: Any, url: str) -> None:
        self.page, self.sent, self.errors = page, [], []
        self.received: list[int] = []
        page.on("websocket", self._listen)
        page.on("pageerror", lambda error: self.errors.append(error))
        page.goto(url)
        self.settled()
        page.locator(".part").first.wait_for(timeout=30_000)
        page.wait_for_timeout(100)
        self.canvas = page.locator("canvas.canvas")

    def _listen(self, socket: Any) -> None:
        socket.on("framesent", lambda frame: self.sent.append(frame))
        socket.on("framereceived", lambda frame: self.received.append(len(frame)))

    def settled(self) -> None:
        self.page.get_by_text("reruns").wait_for(timeout=20_000)

    @property
    def reruns(self) -> int:
        return int(re.search(r"\d+", self.page.get_by_text("reruns").inner_text()).group())

    def wait_for_reruns(self, count: int) -> None:
        """Wait until the page was drawn so often, and has not been drawn more often."""
        end = time.monotonic() + 5
        while self.reruns < count and time.monotonic() < end:
            self.page.wait_for_timeout(20)
        assert self.reruns == count

    def answer(self) -> Any:
        return json.loads(self.page.locator("code").inner_text())

    def wait_for_answer(self, expected: Any) -> None:
        text = json.dumps(expected)
        self.page.wait_for_function(
            "text => document.querySelector('code')?.innerText === text", arg=text, timeout=5_000
        )

    def wait_for_state(self, **expected: Any) -> None:
        self.page.wait_for_function(
            """want => { const text = document.querySelector('code')?.innerText;
            const have = text ? JSON.parse(text) : {};
            const same = ([k, v]) => JSON.stringify(have[k]) === JSON.stringify(v);
            return Object.entries(want).every(same); }""",
            arg=expected,
            timeout=5_000,
        )

    def field(self, name: str) -> str:
        return self.page.locator(f"[data-field={name}]").inner_text()

    def view(self) -> dict[str, float]:
        return {k: float(v) for k, v in self.canvas.evaluate("c => ({...c.dataset})").items()}

    def at(self, row: int, column: int) -> dict[str, float]:
        view = self.view()
        across = view["left"] + (column + 0.5) * view["scale"]
        return {"x": across, "y": view["top"] + (row + 0.5) * view["scale"]}

    def pixels(self, rows: int, columns: int) -> np.ndarray:
        """Read the colour at the middle of every picture pixel back from the canvas."""
        self.page.wait_for_timeout(80)
        read = self.canvas.evaluate(
            """(canvas, [rows, columns]) => {
            const [scale, left, top] = ['scale', 'left', 'top'].map((name) => Number(canvas.dataset[name]));
            const d = canvas.width / canvas.clientWidth;
            const { data } = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height);
            let found = '';
            for (let r = 0; r < rows; r++) for (let c = 0; c < columns; c++) {
              const x = Math.floor((left + (c + 0.5) * scale) * d);
              const y = Math.floor((top + (r + 0.5) * scale) * d);
              const start = 4 * (y * canvas.width + x);
              found += String.fromCharCode(data[start], data[start + 1], data[start + 2]); }
            return btoa(found); }""",
            [rows, columns],
        )
        return np.frombuffer(base64.b64decode(read), np.uint8).reshape(rows, columns, 3)

    def slide(self, name: str, value: float) -> None:
        """Move a slider as a hand does: input without letting go."""
        self.page.locator(f"input[data-name={name}]").evaluate(
            "(s, v) => { s.value = v; s.dispatchEvent(new Event('input', {bubbles: true})); }", value
        )

    def let_go(self, name: str) -> None:
        self.page.locator(f"input[data-name={name}]").evaluate("s => s.dispatchEvent(new Event('change'))")


@pytest.fixture(scope="package")
def desk(browser: Any) -> Any:
    """One browser profile for all desktop tests, so that the app's scripts are loaded once."""
    return browser.new_context(viewport={"width": 1280, "height": 1000})


@pytest.fixture
def demo(desk: Any, demo_address: str, request: Any) -> Iterator[Demo]:
    asked = getattr(request, "param", "show=viewer")
    opened = Demo(desk.new_page(), f"{demo_address}/?{asked}")
    yield opened
    opened.page.close()
    assert opened.errors == []
