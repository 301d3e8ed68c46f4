"""Write docs/operations.md from the list that the gate keeps: `python tools/operations.py [--check]`."""

from __future__ import annotations

import argparse
import sys
import textwrap
from pathlib import Path

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT))

from saliency_core.engine.gate.configuration import allowed  # noqa: E402
from saliency_core.engine.gate.operations import families, listed  # noqa: E402

PAGE = ROOT / "docs" / "operations.md"
HEAD = f"""# What a model file may contain

A model file is a program. Before a file is opened, a gate reads it without running any of it and looks up
every part in the lists below. What is not on a list is refused, and the refusal names the part and the way
out. The lists say what is allowed, never what is forbidden, so that a new operation is refused until
somebody has looked at it.

## TensorFlow operations

{len(listed())} operations, for frozen graphs and SavedModels. They take tensors and give tensors: none has
an argument for a file, a path, an address or a program. They are looked up in the graph and in every
function of its library, gradients too. Loops are let through only where they unpack encoded pictures in
front of a network. The operations with which a SavedModel restores its own variables are not on the list;
they may stand where TensorFlow puts them, and a network that leads to them is refused.
"""
KERAS = """
## Keras classes and functions

For `.keras` and `.h5` files. Layers that hold program code (Lambda and its relatives), that read
vocabularies from files, operations that take functions, and classes of the author's own are refused.
"""


def page() -> str:
    """The whole page."""
    parts = [HEAD, *(_section(name, names) for name, names in families().items()), KERAS]
    return "".join([*parts, *(_section(name.capitalize(), names) for name, names in allowed().items())])


def _section(title: str, names: object) -> str:
    words = ", ".join(f"`{name}`" for name in sorted(names))  # type: ignore[call-overload]
    return f"\n### {title}\n\n{textwrap.fill(words, 116, break_long_words=False, break_on_hyphens=False)}\n"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--check", action="store_true", help="write nothing; exit code 1 when the page is stale"
    )
    check = parser.parse_args().check
    fresh = PAGE.is_file() and PAGE.read_text(encoding="utf-8") == page()
    if check or fresh:
        print(f"docs/operations.md is {'fresh' if fresh else 'stale: run python tools/operations.py'}.")
        return int(not fresh)
    PAGE.write_text(page(), encoding="utf-8")
    print("Wrote docs/operations.md.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
