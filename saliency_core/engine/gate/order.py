"""The order of nodes and of calls: names, circles, chains and what all calls together would unfold to."""

from __future__ import annotations

from collections import Counter
from typing import Any

from saliency_core.engine.gate.refusal import SAVE_AGAIN, WRITE_ANEW, Limits, Stop, shown


def sources(node: Any) -> list[str]:
    """The names of the nodes or arguments that a node takes."""
    return [text.lstrip("^").split(":")[0] for text in node.input]


def check_order(nodes: Any, part: str, limits: Limits, arguments: list[str]) -> None:
    """Refuse duplicate names, missing inputs, circles and chains too long."""
    kinds = {node.name: node.op for node in nodes}
    for name, count in Counter([*(node.name for node in nodes), *arguments]).items():
        if count > 1:
            raise Stop(f"{part}, node '{shown(name)}'", "there is a duplicate of this name", WRITE_ANEW)
    known = set(arguments)
    waits: dict[str, int] = {}
    feeds: dict[str, list[str]] = {}
    for node in nodes:
        count = 0
        for name in sources(node):
            if name in known:
                continue
            if name not in kinds:
                where = f"{part}, node '{shown(node.name)}'"
                raise Stop(where, f"its input '{shown(name)}' is missing: damaged", SAVE_AGAIN)
            if node.op in ("Merge", "RefMerge") and "NextIteration" in kinds[name]:
                continue  # the one way back that a loop has
            feeds.setdefault(name, []).append(node.name)
            count += 1
        waits[node.name] = count
    _check_chain(waits, feeds, part, limits)


def _check_chain(waits: dict[str, int], feeds: dict[str, list[str]], part: str, limits: Limits) -> None:
    ready = [name for name, count in waits.items() if not count]
    done, length = 0, 0
    while ready:
        length, done = length + 1, done + len(ready)
        if length > limits.chain:
            raise Stop(part, f"it is a chain of more than {limits.chain:,} operations", WRITE_ANEW)
        following = []
        for name in ready:
            for taker in feeds.get(name, ()):
                waits[taker] -= 1
                if not waits[taker]:
                    following.append(taker)
        ready = following
    if done < len(waits):
        stuck = next(name for name, count in waits.items() if count)
        raise Stop(f"{part}, node '{shown(stuck)}'", "the nodes run in a circle: a cycle", WRITE_ANEW)


def check_calls(calls: dict[str, list[str]], sizes: dict[str, int], part: str, limits: Limits) -> None:
    """Refuse functions that call themselves, and calls that would unfold to too many nodes."""
    waits = dict.fromkeys(calls, 0)
    inner = {name: [other for other in others if other in calls] for name, others in calls.items()}
    takers: dict[str, list[str]] = {}
    for name, others in inner.items():
        waits[name] = len(others)
        for other in others:
            takers.setdefault(other, []).append(name)
    ready, whole, done = [n for n, c in waits.items() if not c], dict(sizes), 0
    chain: dict[str, int] = {}
    while ready:
        name = ready.pop()
        done += 1
        whole[name] += sum(whole[other] for other in inner[name])
        chain[name] = 1 + max((chain[other] for other in inner[name]), default=0)
        if whole[name] > limits.all_nodes or chain[name] > limits.depth:
            most = f"{limits.all_nodes:,} nodes or {limits.depth} levels"
            raise Stop(part, f"the calls of its functions unfold to too many: over {most}", WRITE_ANEW)
        for taker in takers.get(name, ()):
            waits[taker] -= 1
            if not waits[taker]:
                ready.append(taker)
    if done < len(calls):
        stuck = next(name for name, count in waits.items() if count)
        raise Stop(f"{part}, function '{shown(stuck)}'", "the function calls itself: recursion", WRITE_ANEW)
