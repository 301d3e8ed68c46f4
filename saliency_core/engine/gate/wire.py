"""The outermost fields of a protobuf message, counted before anything builds objects from them."""

from __future__ import annotations

from collections.abc import Iterator

from saliency_core.engine.gate.refusal import WRITE_ANEW, Limits, Stop

NODE, LIBRARY, FUNCTION, FUNCTION_NODE = 1, 2, 1, 3  # GraphDef and FunctionDefLibrary
META_GRAPH, GRAPH = 2, 2  # SavedModel and MetaGraphDef


def messages(data: memoryview, wanted: int) -> Iterator[memoryview]:
    """Every submessage of that number; ValueError where the bytes are not a message."""
    place, end = 0, len(data)
    while place < end:
        tag, place = _number(data, place)
        kind = tag & 7
        if kind == 2:
            length, place = _number(data, place)
            if length > end - place:
                raise ValueError("a field is longer than its message")
            if tag >> 3 == wanted:
                yield data[place : place + length]
            place += length
        elif kind == 0:
            _, place = _number(data, place)
        elif kind in (1, 5):
            place += 8 if kind == 1 else 4
        else:
            raise ValueError("a field of no known kind")


def _number(data: memoryview, place: int) -> tuple[int, int]:
    value = shift = 0
    while place < len(data) and shift < 70:
        byte = data[place]
        place += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, place
        shift += 7
    raise ValueError("a number that does not end")


def check_graph(data: memoryview, part: str, limits: Limits) -> int:
    """Refuse a graph of too many nodes or functions; return how many nodes it has."""
    left = limits.all_nodes
    left -= _count(data, NODE, min(left, limits.nodes), part)
    functions = 0
    for library in messages(data, LIBRARY):
        for function in messages(library, FUNCTION):
            functions += 1
            if functions > limits.functions:
                raise Stop(part, f"it has more than {limits.functions:,} functions", WRITE_ANEW)
            left -= _count(function, FUNCTION_NODE, min(left, limits.nodes), part)
    return limits.all_nodes - left


def check_saved_model(data: memoryview, part: str, limits: Limits) -> None:
    """Refuse a SavedModel one of whose graphs is too large."""
    for number, meta in enumerate(messages(data, META_GRAPH)):
        if number == 20:
            raise Stop(part, "it has more than 20 graphs", WRITE_ANEW)
        nodes = 0
        for graph in messages(meta, GRAPH):  # a message that comes in parts is put together
            nodes += check_graph(graph, part, limits)
            if nodes > limits.all_nodes:
                raise Stop(part, f"it has too many nodes: more than {limits.all_nodes:,}", WRITE_ANEW)


def _count(data: memoryview, field: int, most: int, part: str) -> int:
    count = 0
    for _ in messages(data, field):
        count += 1
        if count > most:
            raise Stop(part, f"it has too many nodes: more than {most:,}", WRITE_ANEW)
    return count
