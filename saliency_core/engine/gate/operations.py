"""The published list of operations that a stranger's graph may use."""

from __future__ import annotations

from functools import cache
from importlib import resources

WRITE = frozenset(("SaveV2", "MergeV2Checkpoints", "ShardedFilename"))
RESTORE = frozenset(("RestoreV2",))
NAMING = frozenset(("StringJoin", "StaticRegexFullMatch", "StaticRegexReplace"))
SAVER = WRITE | RESTORE | NAMING  # only where a SavedModel keeps its own variables, never in the network
VARIABLES = frozenset(("Variable", "VariableV2", "VarHandleOp"))
PARSERS = "Parsers in front of a network"
LOOPS = frozenset(("While", "StatelessWhile", "LoopCond"))
CALLS = frozenset(
    ("PartitionedCall", "StatefulPartitionedCall", "If", "StatelessIf", "Case",
     "StatelessCase", "While", "StatelessWhile")
)  # fmt: skip


@cache
def families() -> dict[str, tuple[str, ...]]:
    """The list as it is published: names by family."""
    text = resources.files(__package__).joinpath("operations.txt").read_text(encoding="utf-8")
    found: dict[str, list[str]] = {}
    names: list[str] = []
    for line in text.splitlines():
        if line.startswith("["):
            names = found.setdefault(line.strip("[]"), [])
        elif not line.startswith("#"):
            names.extend(line.split())
    return {family: tuple(sorted(names)) for family, names in found.items()}


@cache
def listed() -> frozenset[str]:
    """Every operation on the list."""
    return frozenset(name for names in families().values() for name in names)
