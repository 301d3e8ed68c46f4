"""Times things side by side, and says on what machine."""

from __future__ import annotations

import gc
import json
import os
import platform
import statistics
import time
from collections.abc import Callable, Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any


class Times:
    """Seconds of several things that took turns, round by round."""

    def __init__(self, seconds: Mapping[str, list[float]]) -> None:
        self.seconds = seconds

    def median(self, name: str) -> float:
        """The middle of all rounds, in seconds."""
        return statistics.median(self.seconds[name])

    def ratio(self, name: str, base: str) -> float:
        """One median over another."""
        return self.median(name) / self.median(base)

    def spread(self, name: str, base: str) -> float:
        """How far the ratio wanders: the middle half of the ratios of each round, over their median."""
        ratios = [one / other for one, other in zip(self.seconds[name], self.seconds[base], strict=True)]
        low, middle, high = statistics.quantiles(ratios, n=4)
        return (high - low) / middle


def interleaved(work: Mapping[str, Callable[[], Any]], rounds: int, warm_up: int = 3) -> Times:
    """Run each piece of work once a round, in turning order, so that a busy moment hits all alike."""
    names = list(work)
    seconds: dict[str, list[float]] = {name: [] for name in names}
    for turn in range(warm_up + rounds):
        first = turn % len(names)
        for name in names[first:] + names[:first]:
            began = time.perf_counter()
            work[name]()
            if turn >= warm_up:
                seconds[name].append(time.perf_counter() - began)
        gc.collect(0)
    return Times(seconds)


def machine(**more: Any) -> dict[str, Any]:
    """What the figures were measured on, and how busy it was."""
    return {
        "processor": _processor(),
        "cores": os.cpu_count(),
        "system": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
        **{name: version(name) for name in ("tensorflow", "keras", "numpy", "streamlit")},
        "load_before": [round(load, 2) for load in os.getloadavg()],
        **more,
    }


def tell(
    figures: Mapping[str, float], goals: Mapping[str, float], where: Mapping[str, Any], as_json: bool
) -> None:
    """Print every figure beside its goal; with `as_json` the last line is one JSON object."""
    for name, value in figures.items():
        goal = f"   goal: at most {goals[name]:g}" if name in goals else ""
        print(f"{name:<40} {value:10.4f}{goal}")
    if as_json:
        rounded = {name: round(value, 5) for name, value in figures.items()}
        print(json.dumps({"figures": rounded, "machine": dict(where)}))


def _processor() -> str:
    facts = Path("/proc/cpuinfo")
    if facts.exists():
        for line in facts.read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()
