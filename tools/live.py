"""The app as a visitor meets it: a server on a free port of this machine, and a browser that looks at it."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any
from urllib.error import URLError

ROOT = Path(__file__).resolve().parent.parent
CHROMIUM = os.environ.get("CHROMIUM", "/usr/bin/chromium")
FLAGS = [
    "--no-sandbox",
    "--disable-background-timer-throttling",
    "--disable-renderer-backgrounding",
    "--disable-backgrounding-occluded-windows",
    "--disable-gpu",
    "--disable-quic",
    "--disable-dev-shm-usage",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
QUIET_MS = 500  # a page rests when nothing was busy for so long
STEP_S = 0.02

BUSY = """() => {
  const busy = '[data-testid=stStatusWidget], [data-testid=stProgress], [data-testid=stSpinner], ' +
    '[data-testid=stSkeleton], [data-testid=stAppSkeleton], [data-stale=true], [data-busy], [aria-busy=true]';
  const main = document.querySelector('[data-testid=stMain]');
  const drawn = 'h1, [data-testid=stAlertContentError], [data-testid=stException]';
  if (!main || !main.querySelector(drawn)) return 'no title yet';
  const roots = [document];
  for (let i = 0; i < roots.length; i++) {
    const found = roots[i].querySelector(busy);
    if (found) return found.outerHTML.slice(0, 120);
    for (const node of roots[i].querySelectorAll('*')) if (node.shadowRoot) roots.push(node.shadowRoot);
  }
  return '';
}"""


class Server:
    """A running app."""

    def __init__(self, url: str, began: float, up: float, process: subprocess.Popen[bytes]) -> None:
        self.url = url
        self.began = began  # time.perf_counter() when the command was given
        self.seconds = up  # from the command to the first healthy answer
        self.process = process


@contextmanager
def server(
    more: Mapping[str, str] | None = None, *, script: str = "app.py", log: Any = None
) -> Iterator[Server]:
    """Start the app by its own command, with `more` in its environment; its log goes to `log` (a file)."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "streamlit", "run", script, f"--server.port={port}"]
    began = time.perf_counter()
    process = subprocess.Popen(
        [*command, "--server.headless=true"],
        cwd=ROOT,
        env={**os.environ, **(more or {})},
        stdin=subprocess.DEVNULL,
        stdout=log,
        stderr=subprocess.STDOUT if log is not None else None,
    )
    url = f"http://127.0.0.1:{port}"
    try:
        wait_until_up(url, process)
        yield Server(url, began, time.perf_counter() - began, process)
    finally:
        process.terminate()
        with suppress(subprocess.TimeoutExpired):
            process.wait(15)
        process.kill()
        process.wait()


def wait_until_up(url: str, process: subprocess.Popen[bytes], patience_s: float = 60.0) -> None:
    """Return at the first healthy answer; RuntimeError when the server ends or stays silent."""
    end = time.monotonic() + patience_s
    while time.monotonic() < end:
        if process.poll() is not None:
            raise RuntimeError(f"The app ended by itself with exit code {process.returncode}.")
        try:
            with urllib.request.urlopen(f"{url}/_stcore/health", timeout=2) as answer:
                if answer.status == 200:
                    return
        except (URLError, ConnectionError, TimeoutError):
            time.sleep(STEP_S)
    raise RuntimeError(f"The app did not answer at {url} within {patience_s:g} seconds.")


@contextmanager
def chromium() -> Iterator[Any]:
    """A headless Chromium, driven by Playwright."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as play:
        browser = play.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        try:
            yield browser
        finally:
            browser.close()


def rest(page: Any, patience_s: float = 120.0) -> float:
    """Wait until nothing on a page is busy; return the time.perf_counter() at which that began.

    Raises TimeoutError that names what was still busy.
    """
    end = time.monotonic() + patience_s
    since: float | None = None
    what = ""
    while time.monotonic() < end:
        now = time.perf_counter()
        what = page.evaluate(BUSY)
        since = None if what else since or now
        if since is not None and now - since > QUIET_MS / 1000:
            return since
        page.wait_for_timeout(1000 * STEP_S)
    raise TimeoutError(f"{page.url} was not at rest after {patience_s:g} s: {what}")
