"""The layers hold: who may import whom, and what an import may load."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
CORE = sorted((ROOT / "saliency_core").rglob("*.py"))
VIEW = sorted((ROOT / "saliency_view").rglob("*.py"))


def imported(path: Path) -> set[str]:
    """Return every module that a file imports, also inside functions."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            found.add(node.module or "")
    return found


def ids(paths):
    return [str(path.relative_to(ROOT)) for path in paths]


@pytest.mark.parametrize("path", CORE, ids=ids(CORE))
def test_core_imports(path):
    inside = path.relative_to(ROOT / "saliency_core").parts[0]
    for name in imported(path):
        top = name.split(".")[0]
        assert top not in ("streamlit", "saliency_view", "pages"), name
        assert top not in ("tensorflow", "keras") or inside == "engine", name
        assert top != "matplotlib" or inside == "render", name
        if inside == "render":
            assert not name.startswith(("saliency_core.engine", "saliency_core.workers")), name
        if inside == "methods" and path.name not in ("__init__.py", "base.py"):
            shared = (
                "arrays",
                "baselines",
                "cells",
                "errors",
                "masking",
                "paths",
                "regions",
                "sampling",
                "segments",
                "superpixels",
            )
            allowed = (*shared, "methods.base", "probe", "registry", "spec")
            assert not name.startswith("saliency_core") or name.removeprefix("saliency_core.") in allowed, (
                name
            )


@pytest.mark.parametrize("path", VIEW, ids=ids(VIEW))
def test_pages_never_reach_the_engine(path):
    assert not any(
        name.startswith(("saliency_core.engine", "tensorflow", "keras")) for name in imported(path)
    )


@pytest.mark.parametrize("path", [*CORE, *VIEW], ids=ids([*CORE, *VIEW]))
def test_modules_stay_readable(path):
    assert len(path.read_text().splitlines()) <= 350


def test_no_page_lies_directly_in_pages():
    assert not list((ROOT / "pages").glob("*.py"))


def test_the_sitemap_is_what_is_on_disk():
    from saliency_view.sitemap import PAGES

    assert {place.path for place in PAGES} == set((ROOT / "pages").rglob("*.py"))


@pytest.mark.parametrize(
    "code",
    [
        "import saliency_core",
        "from saliency_core import explain, open_model, methods, targets, read_image",
        "from saliency_core.registry import table; [table(f) for f in ('method', 'target', 'preprocessing', 'look')]",
        "from saliency_core.models.opening import menu; menu()",
        "import saliency_core.workers.jobs, saliency_core.workers.tasks, saliency_core.gallery",
    ],
)
def test_importing_loads_no_framework(code):
    check = (
        f"import sys; {code}; print([m for m in ('tensorflow', 'keras', 'streamlit') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", check], cwd=ROOT, capture_output=True, text=True)
    assert done.stdout.strip() == "[]", done.stdout + done.stderr
