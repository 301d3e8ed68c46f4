"""What README.md promises: its commands, its examples, its tables and its links."""

from __future__ import annotations

import contextlib
import io
import json
import re
import shlex
import tomllib
from pathlib import Path

import pytest

from saliency_core.grammar import parse
from tools import tables

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
SETUP = "python3 -m venv .venv && .venv/bin/pip install -r"


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", README, re.S)


def test_one_command_starts_it_and_one_tests_it() -> None:
    start, test = (block.strip() for block in blocks("sh")[:2])
    assert start == f"{SETUP} requirements.txt && .venv/bin/streamlit run app.py"
    assert test == f"{SETUP} requirements-dev.txt && .venv/bin/python -m pytest -n 2"


def test_make_and_ci_run_the_same_tests() -> None:
    make = (ROOT / "Makefile").read_text(encoding="utf-8")
    assert "\n\t$(PYTHON) -m pytest -n 2\n" in make
    pattern = re.search(r"sed -n 's/(.+?)/\\1/p' README\.md", (ROOT / ".ci/run").read_text(encoding="utf-8"))
    assert pattern is not None
    as_python = pattern[1].replace(r"\(", "(").replace(r"\)", ")").replace(r"\/", "/")
    assert re.findall(as_python, README, re.M) == [".venv/bin/python -m pytest -n 2"]


def test_every_make_target_is_named_and_every_named_one_is_there() -> None:
    targets = set(re.findall(r"^(\w+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.M))
    assert set(re.findall(r"`make (\w+)`", README)) == targets - {"setup"}


def test_the_tables_are_fresh() -> None:
    assert tables.written(README) == README, "run python tools/tables.py"


def test_a_readme_without_a_place_for_a_table_is_refused() -> None:
    with pytest.raises(ValueError, match="'targets'"):
        tables.written(README.replace("<!-- end: targets -->", ""))


def test_every_spelled_target_parses_and_spells_back() -> None:
    spelled = re.findall(r"`((?:class_logit|class_difference|layer_unit)\([^`=]*\d\)[^`]*)`", README)
    assert "class_logit(3) - 0.5*class_logit(5)" in spelled
    for text in spelled:
        target = parse("target", text)
        assert parse("target", target.spelling) == target


def test_every_linked_file_is_there() -> None:
    links = re.findall(r"\]\(([^)#:]+)\)", README)
    assert links
    assert [link for link in links if not (ROOT / link).is_file()] == []


def test_the_screenshot_is_a_real_picture_of_modest_size() -> None:
    data = (ROOT / "docs" / "screenshot.png").read_bytes()
    assert data.startswith(b"\x89PNG\r\n\x1a\n")
    assert 20_000 < len(data) <= 300_000
    assert int.from_bytes(data[16:20], "big") >= 1200


def test_the_server_is_for_this_machine_only() -> None:
    settings = tomllib.loads((ROOT / ".streamlit" / "config.toml").read_text(encoding="utf-8"))
    assert settings["server"]["address"] == "127.0.0.1"
    assert set(settings["server"]["allowedHosts"]) == {"localhost", "127.0.0.1"}
    assert settings["browser"]["gatherUsageStats"] is False
    assert settings["client"]["showErrorDetails"] == "none"


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("ink", ["textColor", "linkColor", "primaryColor", "codeTextColor", "redTextColor"])
@pytest.mark.parametrize("paper", ["backgroundColor", "secondaryBackgroundColor"])
def test_every_text_colour_can_be_read(theme: str, ink: str, paper: str) -> None:
    settings = tomllib.loads((ROOT / ".streamlit" / "config.toml").read_text(encoding="utf-8"))
    colours = settings["theme"][theme]
    light, dark = sorted((luminance(colours[ink]), luminance(colours[paper])), reverse=True)
    assert (light + 0.05) / (dark + 0.05) >= 4.5  # WCAG 2.2, level AA


def luminance(colour: str) -> float:
    """Relative luminance of #rrggbb as WCAG defines it."""
    shares = [value / 255 for value in bytes.fromhex(colour[1:])]
    red, green, blue = (s / 12.92 if s <= 0.04045 else ((s + 0.055) / 1.055) ** 2.4 for s in shares)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


@pytest.mark.engine
@pytest.mark.parametrize("number", range(len(blocks("python"))))
def test_every_notebook_example_runs(number: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    names: dict[str, object] = {}
    exec(compile(blocks("python")[number], f"README.md, example {number}", "exec"), names)
    if number == 0:
        result, model = names["result"], names["model"]
        assert result.values.shape == (28, 28, 1)
        assert result.units == "logit per grey level"
        assert result.evidence.good
        assert result.score == pytest.approx({p.index: p.logit for p in result.predictions}[7], rel=1e-6)
        assert model.classify("assets/gallery/digit_7.png")[0].label == "7"


@pytest.mark.engine
def test_every_command_line_example_runs(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    from saliency_core.__main__ import main

    prefix = ".venv/bin/python -m saliency_core "
    commands = [line.removeprefix(prefix) for line in blocks("sh")[2].splitlines()]
    assert [shlex.split(line)[0] for line in commands] == [
        "explain",
        "recipe",
        "inspect",
        "models",
        "methods",
        "targets",
        "looks",
    ]
    (tmp_path / "assets").symlink_to(ROOT / "assets")
    monkeypatch.chdir(tmp_path)
    for line in commands:
        printed = io.StringIO()
        with contextlib.redirect_stdout(printed):
            assert main([*shlex.split(line), "--json"]) == 0
        assert "error" not in json.loads(printed.getvalue())
    assert {file.name for file in tmp_path.iterdir()} == {"assets", "map.npz", "overlay.png", "recipe.png"}
