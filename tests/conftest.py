"""What holds for every test: where a browser is required, a browser test that was skipped has failed."""

from __future__ import annotations

import os
from collections.abc import Generator
from typing import Any

import pytest


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: Any) -> Generator[None, Any, Any]:
    report = yield
    required = os.environ.get("SALIENCY_BROWSER") == "required"
    if required and report.skipped and item.get_closest_marker("browser") and not hasattr(report, "wasxfail"):
        report.outcome = "failed"
        report.longrepr = f"A browser is required, and this test was skipped: {report.longrepr}"
    return report
