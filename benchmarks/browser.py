"""How long a visitor waits: `python benchmarks/browser.py [--json]`.

server_up_seconds: from the command to a healthy answer. first_map_seconds: from opening a page, with nothing
in the browser's cache and an image that nobody has asked for, to its finished map on screen; the workers are
ready. first_map_cold_seconds: from the command to the first map, TensorFlow's start included.
class_switch_seconds: from the click on a prediction that was not computed ahead to the pixels of its map, on
MobileNetV2 at 224 x 224 with random weights; class_switch_ahead_seconds: for one that was. Medians.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
import time
from pathlib import Path
from subprocess import DEVNULL
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from benchmarks.measure import machine, tell  # noqa: E402
from saliency_core.gallery import for_model  # noqa: E402
from saliency_view.state import View  # noqa: E402
from tools.live import chromium, rest, server  # noqa: E402

GOALS = {"server_up_seconds": 1.5, "first_map_seconds": 2.0, "class_switch_seconds": 0.4}
STARTS = 3
MAPS = 5
AHEAD = range(1, 4)  # places in the list of predictions; the page computes the first few ahead
FRESH = range(5, 10)
PATIENCE_MS = 120_000
CALM_MS = 4000  # for what the page computes ahead and for the check of the map

WATCH = """() => {
  const state = window.watched = { shown: null, clicked: null, switched: null };
  let canvas = null, before = null;
  const find = (root) => {
    const found = root.querySelector('canvas.canvas');
    if (found) return found;
    for (const node of root.querySelectorAll('*')) {
      const inner = node.shadowRoot && find(node.shadowRoot);
      if (inner) return inner;
    }
    return null;
  };
  const mark = () => {  // a fingerprint of what is drawn; null while nothing is, or while it is dimmed
    if (!canvas || !canvas.isConnected) canvas = find(document);
    const node = canvas && canvas.closest('.viewer');
    if (!canvas || !canvas.width || !node || node.hasAttribute('data-busy')) return null;
    const { data } = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height);
    let sum = 0, drawn = false;
    for (let i = 0; i < data.length; i += 44) {
      sum = (31 * sum + data[i] + 7 * data[i + 1] + 13 * data[i + 2]) | 0;
      drawn ||= data[i] !== data[0];
    }
    return drawn ? `${node.getAttribute('aria-label')} ${sum}` : null;
  };
  document.addEventListener('click', () => {
    before = mark();
    state.clicked = performance.now();
    state.switched = null;
  }, true);
  const look = () => {
    if (state.shown === null && mark() !== null) state.shown = performance.now();
    if (state.clicked !== null && state.switched === null) {
      const now = mark();
      if (now !== null && before !== null && now !== before) state.switched = performance.now();
    }
    requestAnimationFrame(look);
  };
  requestAnimationFrame(look);
}"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--json", action="store_true", help="end with one line of JSON")
    given = parser.parse_args()
    where = machine()
    figures = {"server_up_seconds": statistics.median(server_up() for _ in range(STARTS))}
    with chromium() as browser:
        figures |= first_maps(browser)
        figures |= class_switches(browser)
    tell(figures, GOALS, where, given.json)


def server_up() -> float:
    """Seconds from the command to a healthy answer."""
    with server(log=DEVNULL) as app:
        return app.seconds


def first_maps(browser: Any) -> dict[str, float]:
    """The first map after the start, then the first maps of visitors with images of their own choice."""
    default = View().settled()
    others = [one.id for one in for_model(default.model) if one.id != default.image][:MAPS]
    with server(log=DEVNULL) as app:
        asked = time.perf_counter() - app.began
        page = opened(browser, app.url)
        cold = asked + shown(page)
        calm(page)
        page.context.close()
        warm = []
        for image in others:
            page = opened(browser, f"{app.url}/?model={default.model}&image={image}")
            warm.append(shown(page))
            calm(page)
            page.context.close()
    return {
        "first_map_seconds": statistics.median(warm),
        "first_map_slowest_seconds": max(warm),
        "first_map_cold_seconds": cold,
    }


def class_switches(browser: Any) -> dict[str, float]:
    """Clicks on predictions of MobileNetV2, its download and its first map before them."""
    from benchmarks import untrained

    with (
        tempfile.TemporaryDirectory() as folder,
        untrained.mirror(Path(folder)) as environment,
        server(environment, script="benchmarks/untrained_app.py", log=DEVNULL) as app,
    ):
        page = opened(browser, f"{app.url}/?model={untrained.MODEL}")
        shown(page)
        calm(page)
        ahead = [switched(page, place) for place in AHEAD]
        calm(page)
        fresh = [switched(page, place) for place in FRESH]
        page.context.close()
    return {
        "class_switch_seconds": statistics.median(fresh),
        "class_switch_slowest_seconds": max(fresh),
        "class_switch_ahead_seconds": statistics.median(ahead),
    }


def opened(browser: Any, url: str) -> Any:
    """Open a page with an empty cache and the watch on it."""
    page = browser.new_context(viewport={"width": 1440, "height": 900}).new_page()
    page.add_init_script(f"({WATCH})()")
    page.goto(url, wait_until="commit")
    return page


def shown(page: Any) -> float:
    """Seconds from opening the page to the finished map."""
    page.wait_for_function("() => window.watched?.shown !== null", timeout=PATIENCE_MS, polling=50)
    return float(page.evaluate("() => window.watched.shown")) / 1000


def switched(page: Any, place: int) -> float:
    """Seconds from the click on a prediction to changed pixels under its name."""
    page.locator("button.bar-row").nth(place).click()
    page.wait_for_function("() => window.watched.switched !== null", timeout=PATIENCE_MS, polling=50)
    times = page.evaluate("() => [window.watched.clicked, window.watched.switched]")
    rest(page)
    page.wait_for_timeout(CALM_MS / 4)
    return float(times[1] - times[0]) / 1000


def calm(page: Any) -> None:
    """Let everything behind the map come to an end."""
    rest(page)
    page.wait_for_timeout(CALM_MS)


if __name__ == "__main__":
    main()
