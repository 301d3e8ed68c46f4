"""Frames arrive as they were sent, and nothing else arrives."""

import io
import json
import struct

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from saliency_core.workers.frames import DTYPES, FrameError, Limits, pack, read_frame, settle, write_frame

words = st.text(st.characters(codec="utf-8"), max_size=8)
scalars = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | words
plain = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(words, inner, max_size=4),
    max_leaves=8,
)
messages = st.dictionaries(words, plain, max_size=4)
arrays = st.dictionaries(
    words,
    st.sampled_from(sorted(DTYPES)).flatmap(
        lambda name: hnp.arrays(
            DTYPES[name], hnp.array_shapes(min_dims=0, max_dims=4, min_side=0, max_side=4)
        )
    ),
    max_size=3,
)


def framed(message, given_arrays, **limits):
    stream = io.BytesIO()
    write_frame(stream, message, given_arrays, **limits)
    return stream.getvalue()


def raw(header, body=b""):
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack(">I", len(text)) + text + body


def listed(name="x", dtype="uint8", shape=(1,)):
    return {"message": {}, "arrays": [[name, dtype, list(shape)]]}


@settings(max_examples=60, deadline=None)
@given(messages, arrays)
def test_what_is_read_is_what_was_written(message, sent):
    stream = io.BytesIO(framed(message, sent) * 2)
    for _ in range(2):
        got, received = read_frame(stream)
        assert got == message
        assert list(received) == list(sent)
        for name, array in sent.items():
            assert received[name].dtype == array.dtype
            assert received[name].shape == array.shape
            assert received[name].tobytes() == array.tobytes()
    with pytest.raises(EOFError):
        read_frame(stream)


@settings(max_examples=40, deadline=None)
@given(messages, arrays, st.data())
def test_a_cut_frame_is_an_error(message, sent, data):
    whole = framed(message, sent)
    cut = data.draw(st.integers(1, len(whole) - 1))
    with pytest.raises(FrameError):
        read_frame(io.BytesIO(whole[:cut]))


@settings(max_examples=80, deadline=None)
@given(messages, arrays, st.data())
def test_a_changed_frame_raises_nothing_but_frame_errors(message, sent, data):
    broken = bytearray(framed(message, sent))
    for _ in range(data.draw(st.integers(1, 4))):
        broken[data.draw(st.integers(0, len(broken) - 1))] = data.draw(st.integers(0, 255))
    stream = io.BytesIO(bytes(broken))
    try:
        got, received = read_frame(stream, Limits(header_bytes=1 << 16, total_bytes=1 << 20))
    except FrameError:
        return
    assert isinstance(got, dict)
    assert all(array.dtype.name in DTYPES and array.nbytes <= 1 << 20 for array in received.values())


@settings(max_examples=100, deadline=None)
@given(st.binary(max_size=64))
def test_noise_raises_nothing_but_frame_errors(noise):
    with pytest.raises((FrameError, EOFError)):
        read_frame(io.BytesIO(noise), Limits(header_bytes=1 << 16))


@pytest.mark.parametrize(
    "frame",
    [
        b"\xff\xff\xff\xff",
        b"\x00\x00\x00\x00",
        raw(b"[]"),
        raw(b"{"),
        raw(b"\xff\xfe"),
        raw({"message": {}}),
        raw({"message": {}, "arrays": [], "more": 1}),
        raw({"message": [], "arrays": []}),
        raw({"message": {}, "arrays": {}}),
        raw(b'{"message": {"x": NaN}, "arrays": []}'),
        raw(b'{"message": {"x": Infinity}, "arrays": []}'),
        raw(b'{"message": {"x": 1e999}, "arrays": []}'),
        raw(b'{"message": {"x": 1, "x": 2}, "arrays": []}'),
        raw(b'{"message": {"x": "\\ud800"}, "arrays": []}'),
        raw(b'{"message": {"x": ' + b"9" * 5000 + b'}, "arrays": []}'),
        raw(b'{"message": {"x": ' + b"[" * 100_000 + b"]" * 100_000 + b'}, "arrays": []}'),
        raw(b'{"message": {"x": ' + b"[" * 40 + b"]" * 40 + b'}, "arrays": []}'),
        raw({"message": {"x": "a" * 2_000_000}, "arrays": []}),
        raw({"message": {}, "arrays": [["x", "uint8"]]}),
        raw({"message": {}, "arrays": [["x", ["uint8"], [1]]]}, b"1"),
        raw({"message": {}, "arrays": [["x", "uint8", [1]]] * 2}, b"11"),
        raw({"message": {}, "arrays": [["x" * 300, "uint8", [1]]]}, b"1"),
        raw({"message": {}, "arrays": [[str(i), "uint8", [0]] for i in range(1025)]}),
        raw(listed(dtype="float16"), b"11"),
        raw(listed(dtype="object"), b"1" * 8),
        raw(listed(shape=[-1]), b"1"),
        raw(listed(shape=[1.0]), b"1"),
        raw(listed(shape=[True]), b"1"),
        raw(listed(shape=[1] * 7), b"1"),
        raw(listed(shape=[2**40])),
        raw(listed(shape=[0, 2**62, 2**62])),
        raw(listed(shape=[2**16, 2**16])),
        raw(listed(dtype="bool"), b"\x02"),
    ],
)
def test_impossible_frames_are_refused(frame):
    with pytest.raises(FrameError):
        read_frame(io.BytesIO(frame))


def test_nothing_is_allocated_for_a_frame_that_is_too_large():
    limits = Limits(header_bytes=100, total_bytes=1000)
    with pytest.raises(FrameError, match="header claims 101"):
        read_frame(io.BytesIO(struct.pack(">I", 101)), limits)
    with pytest.raises(FrameError, match="above 1000"):
        read_frame(io.BytesIO(raw(listed(shape=[950])) + bytes(950)), limits)
    _, received = read_frame(io.BytesIO(raw(listed(shape=[900])) + bytes(900)), limits)
    assert received["x"].nbytes == 900


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_finite_numbers_can_be_required(bad, dtype):
    values = {"x": np.array([0, bad], dtype)}
    sent = framed({}, values)
    assert np.array_equal(read_frame(io.BytesIO(sent))[1]["x"], values["x"], equal_nan=True)
    with pytest.raises(FrameError, match="not finite"):
        read_frame(io.BytesIO(sent), Limits(finite=True))
    with pytest.raises(FrameError, match="not finite"):
        framed({}, values, limits=Limits(finite=True))


@pytest.mark.parametrize(
    ("message", "sent"),
    [
        ({"x": float("nan")}, {}),
        ({"x": {1, 2}}, {}),
        ({"x": "\ud800"}, {}),
        ({"x": "a" * 2_000_000}, {}),
        ({}, {"x": np.float16([1])}),
        ({}, {"x": np.array(["text"])}),
        ({}, {"x": np.zeros([1] * 7)}),
        ({}, {"x" * 300: np.zeros(1)}),
    ],
)
def test_the_writer_refuses_before_the_first_byte(message, sent):
    stream = io.BytesIO()
    with pytest.raises(FrameError):
        write_frame(stream, message, sent)
    assert stream.getvalue() == b""


def test_any_memory_layout_and_byte_order_arrives_as_plain_numbers():
    array = np.arange(24, dtype=">f4").reshape(2, 3, 4)[:, ::-1].T
    _, received = read_frame(io.BytesIO(framed({}, {"x": array})))
    assert np.array_equal(received["x"], array)
    assert received["x"].dtype == np.dtype("<f4")


def test_contiguous_arrays_are_not_copied():
    array = np.zeros((224, 224, 3), np.float32)
    assert np.shares_memory(np.frombuffer(pack({}, {"x": array})[1], np.uint8), array)


@settings(max_examples=25, deadline=None)
@given(messages, arrays)
def test_settling_gives_what_a_reader_would_see(message, sent):
    message = {**message, "pair": (1, np.float32(2.5))}
    told, kept = settle(message, sent)
    got, received = read_frame(io.BytesIO(framed(message, sent)))
    assert told == got
    assert all(kept[name].tobytes() == received[name].tobytes() for name in sent)
