"""Frozen graphs that reach outside, grow, hang or are broken."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from tests.engine.hostile.case import Case
from tests.engine.hostile.payloads import payloads
from tests.engine.hostile.protos import (
    BOOL,
    FLOAT,
    INT32,
    STRING,
    Call,
    Type,
    call,
    const,
    function,
    graph,
    identity,
    network,
    node,
    splat,
)


def cases(folder: Path, marker: Path) -> list[Case]:
    """Write the frozen graphs."""
    made = {**acting(marker), **growing(), **circling(), **odd()}
    found = []
    for name, (content, word) in made.items():
        path = folder / f"{name}.pb"
        path.write_bytes(content if isinstance(content, bytes) else content.SerializeToString())
        found.append(Case(f"graph_{name}", path, "refuse" if word else "open", word))
    return found


def tail(last: str = "out") -> list[Any]:
    return network(last)


def acting(marker: Path) -> dict[str, tuple[Any, str]]:
    """Every payload in the main graph, and the first in many hiding places."""
    secret = marker.parent / "secret.txt"
    found: dict[str, tuple[Any, str]] = {}
    for name, nodes in payloads(marker, secret).items():
        word = "files" if name in ("save_v2", "restore_v2") else "list of pure operations"
        if nodes[-1].op == "OperationOfNobody":
            word = "operationofnobody"
        found[name] = graph([*nodes, *network("act")]), word
    found |= hiding(payloads(marker, secret)["write_file"])
    return found


def hiding(write: list[Any]) -> dict[str, tuple[Any, str]]:
    """One payload inside functions, branches, gradients and attributes of attributes."""
    inner = function("inner", [*write, identity("done", "a", "act")])
    outer = function("outer", [call("deep", "inner", "a"), identity("done", "deep:output:0")])
    dead = function("dead", [*write, identity("done", "a", "act")])
    plain = function("plain", [identity()])
    grad = [*network(source="x")[:-1], node("Identity", "out", "bent", T=Type(FLOAT))]
    bent = node("Identity", "bent", "softmax", T=Type(FLOAT), _gradient_op_type=b"CustomGradient-7")
    registered = graph([*grad, bent], dead)
    registered.library.registered_gradients.add(gradient_func="dead", registered_op_type="CustomGradient-7")
    legacy = graph([*network(), call("called", "plain")], plain, dead)
    legacy.library.gradient.add(function_name="plain", gradient_func="dead")
    branch = node(
        "If", "branch", "yes", "mean", Tcond=Type(BOOL), Tin=[Type(FLOAT)], Tout=[Type(FLOAT)],
        then_branch=Call("inner"), else_branch=Call("plain"),
    )  # fmt: skip
    cases = node(
        "Case",
        "branch",
        "which",
        "mean",
        Tin=[Type(FLOAT)],
        Tout=[Type(FLOAT)],
        branches=[Call("plain"), Call("inner")],
    )
    nested = node(
        "PartitionedCall",
        "hidden",
        "mean",
        f=Call("plain", f=Call("inner")),
        Tin=[Type(FLOAT)],
        Tout=[Type(FLOAT)],
    )
    word = "list of pure operations"
    return {
        "in_function": (graph([*network("called"), call("called", "inner")], inner), word),
        "two_functions_deep": (graph([*network("called"), call("called", "outer")], outer, inner), word),
        "in_branch": (graph([*network("branch"), const("yes", True), branch], inner, plain), word),
        "in_case": (graph([*network("branch"), const("which", 1), cases], inner, plain), word),
        "in_attribute_of_attribute": (graph([*network("hidden"), nested], inner, plain), word),
        "in_old_call": (graph([*network("called"), node("inner", "called", "mean")], inner), word),
        "in_unused_function": (graph(network(), dead), word),
        "in_registered_gradient": (registered, word),
        "in_old_gradient": (legacy, word),
        "behind_symbolic_gradient": (
            graph([*network("g"), node("SymbolicGradient", "g", "mean", "mean", Tin=[Type(FLOAT)] * 2, Tout=[Type(FLOAT)], f=Call("inner"))], inner),
            word,
        ),
        "behind_map": (graph([*network("g"), node("MapDefun", "g", "mean", f=Call("inner"))], inner), word),
        "unused_node": (graph([*network(), *write]), word),
        "function_named_as_operation": (
            graph([*network("s"), node("Softmax", "s", "mean", T=Type(FLOAT))], function("Relu", [*write, identity("done", "a", "act")])),
            word,
        ),
        "pure_function_named_as_operation": (graph(network(), function("Relu", [identity()])), "name of an operation"),
        "missing_function": (graph([*network(), call("called", "nowhere")]), "damaged"),
        "two_functions_of_one_name": (graph(network(), plain, plain), "duplicate"),
    }  # fmt: skip


def growing() -> dict[str, tuple[Any, str]]:
    """Few bytes that ask for much memory."""
    huge = [20_000, 20_000]
    chain = [node("Neg", f"n{k}", f"n{k - 1}" if k else "mean", T=Type(FLOAT)) for k in range(12_000)]
    many = [node("NoOp", f"n{k}") for k in range(50_010)]
    doubles = [
        function(
            f"f{k}",
            [
                call("one", f"f{k + 1}", "a"),
                call("two", f"f{k + 1}", "one:output:0"),
                identity("done", "two:output:0"),
            ],
        )
        for k in range(30)
    ]
    doubles.append(function("f30", [identity()]))
    far = {"dtype": Type(FLOAT), "T": Type(INT32)}
    lots = graph(network())
    lots.library.function.extend(function(f"f{k}", [identity()]) for k in range(5_010))
    return {
        "constant_bomb": (graph([splat("big", (18_000, 18_000)), *network("big")]), "too large"),
        "constant_spread": (graph([splat("big", (8_000, 8_000)), *network("big")]), "is stored in"),
        "constant_spread_in_parts": (
            graph([*(splat(f"big{k}", (1_000, 1_000)) for k in range(30)), *network()]), "is stored in",
        ),
        "constant_beyond_numbers": (graph([splat("big", (2**40, 2**40)), *network("big")]), "too large"),
        "constant_bomb_in_function": (
            graph(network(), function("f", [splat("big", (18_000, 18_000)), identity()])), "too large",
        ),
        "fill_bomb": (
            graph([const("huge", huge), const("v", 0.0), node("Fill", "big", "huge", "v", T=Type(FLOAT)), *network("big")]),
            "too large",
        ),
        "tile_bomb": (
            graph([const("huge", huge), const("v", [[0.0]]), node("Tile", "big", "v", "huge", T=Type(FLOAT)), *network("big")]),
            "too large",
        ),
        "random_bomb": (graph([const("huge", huge), node("RandomUniform", "big", "huge", **far), *network("big")]), "too large"),
        "resize_bomb": (
            graph([const("huge", huge), node("ResizeBilinear", "big", "x", "huge", T=Type(FLOAT)), *network("big")]),
            "too large",
        ),
        "pad_bomb": (
            graph([const("wide", [[0, 0], [20_000, 0], [20_000, 0], [0, 0]]), node("Pad", "big", "x", "wide", T=Type(FLOAT)), *network("big")]),
            "too large",
        ),
        "chain": (graph([*network("n11999"), *chain]), "chain"),
        "too_many_nodes": (graph([*network(), *many]), "too many nodes"),
        "doubling_functions": (graph([*network("called"), call("called", "f0")], *doubles), "too many"),
        "too_many_functions": (lots, "functions"),
    }  # fmt: skip


def circling() -> dict[str, tuple[Any, str]]:
    """Graphs that never end."""
    itself = function("f", [call("again", "f", "a"), identity("done", "again:output:0")])
    left = function("f", [call("again", "g", "a"), identity("done", "again:output:0")])
    right = function("g", [call("again", "f", "a"), identity("done", "again:output:0")])
    always = function("always", [const("done", True)])
    always.signature.output_arg[0].type = BOOL
    loop = node(
        "While",
        "loop",
        "mean",
        T=[Type(FLOAT)],
        cond=Call("always"),
        body=Call("same"),
        parallel_iterations=10,
    )
    old = [
        node("Enter", "enter", "mean", T=Type(FLOAT), frame_name=b"f"),
        node("Merge", "merge", "enter", "next", T=Type(FLOAT), N=2),
        const("yes", True),
        node("LoopCond", "cond", "yes"),
        node("Switch", "switch", "merge", "cond", T=Type(FLOAT)),
        node("NextIteration", "next", "switch:1", T=Type(FLOAT)),
        node("Exit", "exit", "switch", T=Type(FLOAT)),
    ]
    return {
        "cycle": (
            graph([*network("p"), node("Neg", "p", "q", T=Type(FLOAT)), node("Neg", "q", "p", T=Type(FLOAT))]), "cycle",
        ),
        "cycle_of_controls": (graph([*network(), node("NoOp", "p", "^q"), node("NoOp", "q", "^p")]), "cycle"),
        "recursion": (graph([*network("called"), call("called", "f")], itself), "recursion"),
        "recursion_of_two": (graph([*network("called"), call("called", "f")], left, right), "recursion"),
        "endless_loop": (graph([*network("loop"), loop], always, function("same", [identity()])), "loop"),
        "endless_old_loop": (graph([*network("exit"), *old]), "loop"),
    }  # fmt: skip


def odd() -> dict[str, tuple[Any, str]]:
    """Broken graphs, graphs that are not frozen, and honest ones."""
    good = graph(network()).SerializeToString()
    twice = graph([*network(), node("NoOp", "mean")])
    short = splat("short", (3, 3))
    short.attr["value"].tensor.tensor_shape.dim[0].size = -5
    handle = const("handle", 1.0)
    handle.attr["value"].tensor.dtype = 20
    own = node("Identity", "bent", "softmax", T=Type(FLOAT), _gradient_op_type=b"OwnRule")
    bent = graph([*network()[:-1], own, node("Identity", "out", "bent", T=Type(FLOAT))])
    ends = node("VarHandleOp", "v", dtype=Type(FLOAT), shape=(1,))
    quantised = [
        *network()[:-1],
        node("FakeQuantWithMinMaxArgs", "quantised", "softmax", min=-6.0, max=6.0, num_bits=8),
        node("Identity", "out", "quantised", T=Type(FLOAT)),
    ]
    framed = [
        const("frame", [[0, 0], [200, 200], [200, 200], [0, 0]]),
        node("Pad", "framed", "x", "frame", T=Type(FLOAT)),
    ]
    labels = node("Const", "labels", value=np.array([b"cat/dog", b"a b"], object), dtype=Type(STRING))
    return {
        "truncated": (good[: len(good) // 2 + 3], "damaged"),
        "one_byte_short": (good[:-1], "damaged"),
        "rubbish_after_a_node": (good[:40] + bytes(range(256)), "damaged"),
        "other_message": (b"\n\x05hello", "damaged"),
        "text_form": (b'node {\n  name: "x"\n  op: "Placeholder"\n}\n', "formats"),
        "two_nodes_of_one_name": (twice, "duplicate"),
        "missing_input": (graph([*network(), node("Neg", "n", "nowhere", T=Type(FLOAT))]), "damaged"),
        "negative_shape": (graph([*network(), short]), "damaged"),
        "handle_as_constant": (graph([*network(), handle]), "kind"),
        "path_in_text": (graph([*network(), const("s", b"/etc/passwd")]), "path"),
        "address_in_text": (graph([*network(), const("s", b"http://127.0.0.1/x")]), "address"),
        "path_upward": (graph([*network(), const("s", b"../../secret.txt")]), "path"),
        "not_frozen": (graph([*network(), ends]), "not frozen"),
        "honest": (graph(network()), ""),
        "honest_with_own_gradient": (bent, ""),
        "honest_with_a_frame": (graph([*network(source="framed"), *framed]), ""),
        "honest_with_labels": (graph([*network(), labels]), ""),
        "honest_quantised": (graph(quantised), ""),
    }
