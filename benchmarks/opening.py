"""What it costs to open a stranger's file in a confined process: `python benchmarks/opening.py [--json]`.

MobileNetV2 with random weights as a .keras file of 14 MB. `opening_s` is `open_model(path)`: a process is
started and shut in, the file checked, loaded and frozen there, and what is known of it sent back.
`start_s` is the start of such a process alone. `bare_s` is `keras.models.load_model` as the first thing
that a program does which has imported Keras already, `bare_again_s` the same file once more. They take turns.
`chosen_s` is what a visitor of the app waits, from choosing the file in a browser to the page whose address
names it, upload and drawing included, when a process stands by; left out with `--no-browser`.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT))

from benchmarks.measure import Times, interleaved, machine, tell  # noqa: E402
from saliency_core import open_model  # noqa: E402
from saliency_core.workers.remote import Remote  # noqa: E402
from saliency_view import own_models  # noqa: E402
from tools.live import chromium, rest, server  # noqa: E402

GOALS = dict.fromkeys(("opening_ratio", "chosen_ratio"), 1.0)  # of twice the bare load and a process's start
CALM_MS = 12_000  # for a process to stand by again
PATIENCE_MS = 60_000
CHOSEN = "() => location.search.includes('model=own-')"
SEED = 11
BARE = """
import sys, time
import keras
import tensorflow
for _ in range(2):
    began = time.perf_counter()
    keras.models.load_model(sys.argv[1])
    print(time.perf_counter() - began)
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--json", action="store_true", help="end with one line of JSON")
    parser.add_argument("--rounds", type=int, default=9, help="how often each is timed")
    parser.add_argument("--no-browser", action="store_true", help="the library alone")
    given = parser.parse_args()
    where = machine()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "mobilenet_v2.keras"
        written(path)
        where["file_mb"] = round(path.stat().st_size / 1e6, 1)
        figures = measured(path, given.rounds)
        if not given.no_browser:
            figures["chosen_s"] = chosen(path, given.rounds)
            figures["chosen_ratio"] = figures["chosen_s"] / allowed(figures)
    tell(figures, GOALS, where, given.json)


def written(path: Path) -> None:
    """Write the file from another process: this one never loads TensorFlow, as the app does not."""
    make = (
        "import sys, keras\n"
        f"keras.utils.set_random_seed({SEED})\n"
        "keras.applications.MobileNetV2(weights=None).save(sys.argv[1])\n"
    )
    subprocess.run([sys.executable, "-c", make, str(path)], check=True, capture_output=True)


def measured(path: Path, rounds: int) -> dict[str, float]:
    """Return seconds of each and their ratio, medians of all rounds."""
    bare: list[tuple[float, float]] = []
    work: dict[str, Callable[[], Any]] = {
        "opening": lambda: opened(path),
        "start": lambda: Remote.start(path).close(),
        "bare": lambda: bare.append(loaded(path)),
    }
    times = interleaved(work, rounds, warm_up=1)
    seconds = {name: times.seconds[name] for name in ("opening", "start")}
    kept = bare[-rounds:]
    both = {"bare": [one for one, _ in kept], "bare_again": [again for _, again in kept]}
    found = Times({**seconds, **both})
    figures = {f"{name}_s": found.median(name) for name in (*seconds, *both)}
    return {**figures, "opening_ratio": figures["opening_s"] / allowed(figures)}


def allowed(figures: Mapping[str, float]) -> float:
    """Return the seconds that opening may take."""
    return 2 * figures["bare_s"] + figures["start_s"]


def chosen(path: Path, rounds: int) -> float:
    """Return the median of seconds from choosing the file to the page with the model in its address."""
    seconds = []
    with server({own_models.SWITCH: "on"}, log=subprocess.DEVNULL) as app, chromium() as browser:
        for _ in range(rounds):
            page = browser.new_context(viewport={"width": 1440, "height": 900}).new_page()
            page.goto(app.url)
            rest(page)
            page.wait_for_timeout(CALM_MS)
            page.get_by_text("Open your own model").first.click()
            field = page.locator("input[type=file][accept*='.keras']")
            field.wait_for(state="attached")
            page.wait_for_timeout(CALM_MS / 12)
            began = time.perf_counter()
            field.set_input_files(path)
            page.wait_for_function(CHOSEN, polling=20, timeout=PATIENCE_MS)
            seconds.append(time.perf_counter() - began)
            page.context.close()
    return statistics.median(seconds)


def opened(path: Path) -> None:
    """Open the file the way of the lab, and end the process."""
    model = open_model(path)
    if len(model.layers) < 100:
        raise SystemExit("This is not the network that was written.")
    model._compiled.close()


def loaded(path: Path) -> tuple[float, float]:
    """Load the file twice in a program of its own that has imported Keras; seconds of each."""
    threads = {"TF_NUM_INTRAOP_THREADS": "1", "TF_NUM_INTEROP_THREADS": "1", "OMP_NUM_THREADS": "1"}
    told = subprocess.run(
        [sys.executable, "-c", BARE, str(path)],
        check=True,
        capture_output=True,
        text=True,
        env={**os.environ, **threads, "TF_CPP_MIN_LOG_LEVEL": "3"},
    ).stdout.split()
    return float(told[0]), float(told[1])


if __name__ == "__main__":
    main()
