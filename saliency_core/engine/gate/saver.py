"""The part of a SavedModel that stores its own variables: it may be there, the network may not use it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from saliency_core.engine.gate import operations as ops
from saliency_core.engine.gate.graph import called
from saliency_core.engine.gate.order import sources
from saliency_core.engine.gate.refusal import WRITE_ANEW, Stop, shown

QUIET = frozenset(
    ("AssignVariableOp", "Cast", "Const", "Identity", "IdentityN", "NoOp", "Placeholder",
     "ReadVariableOp", "Reshape")
)  # fmt: skip
STRING = 7


def ancestors(nodes: Iterable[Any], names: Iterable[str]) -> list[Any]:
    """The nodes of that name and all they are computed from."""
    by_name = {node.name: node for node in nodes}
    found: dict[str, Any] = {}
    pending = [name for name in names if name in by_name]
    while pending:
        name = pending.pop()
        if name not in found:
            found[name] = by_name[name]
            pending += [source for source in sources(by_name[name]) if source in by_name]
    return list(found.values())


class Saver:
    """What saves and restores the variables of one graph, told by saver_def and by what it does."""

    def __init__(self, meta: Any, part: str) -> None:
        self.nodes, self.part = meta.graph_def.node, part
        definition = meta.saver_def
        self.file = definition.filename_tensor_name.split(":")[0]
        self.save = definition.save_tensor_name.split(":")[0]
        self.restore = definition.restore_op_name.split(":")[0]
        library = {function.signature.name: function for function in meta.graph_def.library.function}
        self.library = library
        self.writing = self._with(library, ops.WRITE)
        self.reading = self._with(library, ops.RESTORE)
        self.functions = self.writing | self.reading

    @staticmethod
    def _with(library: dict[str, Any], kinds: frozenset[str]) -> frozenset[str]:
        found = (name for name, body in library.items() if any(node.op in kinds for node in body.node_def))
        return frozenset(found)

    def extra(self, name: str) -> frozenset[str]:
        """The operations that a function, or "" the main graph, may use besides the list."""
        if name == "":
            return ops.RESTORE | ops.NAMING | ops.WRITE if self.save and self.restore else frozenset()
        if name in self.writing and self._called_by(self.save) == [name]:
            return ops.SAVER
        if name in self.reading and self._called_by(self.restore) == [name]:
            return ops.RESTORE
        return frozenset()

    def _called_by(self, node_name: str) -> list[str]:
        return [
            name
            for node in self.nodes
            if node.name == node_name
            for name in called([node])
            if name in self.library
        ]

    def check(self, roots: list[str]) -> None:
        """Refuse a network, or a start of one, that leads to the saver, and a restorer that does more."""
        if callers := self._callers():
            self._stop(None, f"the function '{shown(min(callers))}' calls what saves or restores the model")
        for node in self.nodes:
            inside = self.functions & set(called([node]))
            if inside and node.name not in (self.save, self.restore):
                self._stop(node, f"the model calls '{shown(min(inside))}', which saves or restores it")
        for node in ancestors(self.nodes, roots):
            if node.op in ops.SAVER or node.name in (self.save, self.restore):
                self._stop(node, f"the network leads to {shown(node.op)}, which reads or writes files")
        self._check_restorer()

    def _callers(self) -> set[str]:
        """The functions that call the saver's."""
        return {name for name, body in self.library.items() if self.functions & set(called(body.node_def))}

    def _check_restorer(self) -> None:
        origins = Origins(self.nodes)
        for node in ancestors(self.nodes, [self.restore]):
            if node.op in ops.WRITE | ops.NAMING:
                self._stop(node, f"restoring the model leads to {node.op}, which writes files")
            if node.op in ops.RESTORE and origins.of(node.input[0]) != self.file:
                self._stop(node, "RestoreV2 would read another file than the model's own")
            if node.op in ops.CALLS and node.name != self.restore:
                self._stop(node, "restoring the model runs other functions")
        for name in self.reading:
            body = self.library[name]
            inner = Origins(body.node_def)
            texts = [arg.name for arg in body.signature.input_arg if arg.type == STRING]
            for node in body.node_def:
                if node.op in ops.RESTORE and inner.of(node.input[0]) not in texts[:1]:
                    self._stop(node, "RestoreV2 would read another file than the model's own")
                if node.op not in QUIET | ops.RESTORE:
                    self._stop(node, f"restoring the model runs the operation {shown(node.op)}")
        for node in self.nodes:
            if node.name == self.restore and self.reading and origins.of(node.input[0]) != self.file:
                self._stop(node, "restoring would read another file than the model's own")

    def _stop(self, node: Any, reason: str) -> None:
        where = f"{self.part}, node '{shown(node.name)}'" if node is not None else self.part
        raise Stop(where, reason, WRITE_ANEW)


class Origins:
    """Where a text comes from, past what only hands it on."""

    def __init__(self, nodes: Iterable[Any]) -> None:
        self.passing = {
            node.name: node.input[0].split(":")[0] for node in nodes if node.op == "Identity" and node.input
        }

    def of(self, name: str) -> str:
        """The name of the node or argument that a text starts from."""
        name = name.split(":")[0]
        while name in self.passing:
            name = self.passing[name]
        return name
