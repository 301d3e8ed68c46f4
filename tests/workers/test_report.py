"""A shared job has every piece once, in order, whoever computes it and whoever fails."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from saliency_core.errors import Cancelled, NotFiniteError
from saliency_core.workers.report import Board, PipeReport, Report
from tests.workers.toys import TASKS

PIECES = [({"owner": 0, "pause": 0}, {"x": np.full(2, float(i))}) for i in range(4)]


def test_a_report_alone_computes_every_piece_here():
    seen = []
    results = Report(TASKS).share("square", PIECES, lambda index, result: seen.append(index))
    assert [float(arrays["square"][0]) for _, arrays in results] == [0, 1, 4, 9]
    assert seen == [0, 1, 2, 3]
    assert results[0][0]["pair"] == [1, 2]  # as it would arrive over a pipe


def test_a_cancelled_report_stops_between_pieces():
    report = Report(TASKS)
    with pytest.raises(Cancelled):
        report.share("square", PIECES, lambda index, result: report.cancel())
    with pytest.raises(Cancelled):
        report.progress(1, 2)


def test_pieces_go_out_from_the_back_and_come_home():
    said = []
    report = PipeReport(7, lambda message, arrays: said.append((message, arrays)), TASKS)

    def parent(index, result):
        if index == 0:
            report.hear({"type": "take", "run": 7}, {})
            lent = said[-1][0]
            assert (lent["type"], lent["index"], lent["task"]) == ("lend", 3, "square")
            answer = {"type": "lent", "run": 7, "index": 3, "message": {"from": "afar"}}
            report.hear(answer, {"square": np.array([9.0, 9.0])})

    results = report.share("square", PIECES, parent)
    assert [float(arrays["square"][0]) for _, arrays in results] == [0, 1, 4, 9]
    assert results[3][0] == {"from": "afar"}
    assert [message["pieces"] for message, _ in said if message["type"] == "offer"] == [3, 0]


def test_a_late_answer_never_lands_in_the_next_share():
    said = []
    report = PipeReport(7, lambda message, arrays: said.append(message), TASKS)
    report.share("square", PIECES)

    def parent(index, result):
        late = {"type": "lent", "run": 7, "index": 3, "message": {"from": "the past"}}
        report.hear(late, {"square": np.array([-1.0, -1.0])})

    results = report.share("square", PIECES, parent)
    assert [float(arrays["square"][0]) for _, arrays in results] == [0, 1, 4, 9]
    assert all("from" not in message for message, _ in results)


def test_nothing_is_given_away_when_nothing_is_shared():
    said = []
    report = PipeReport(7, lambda message, arrays: said.append(message), TASKS)
    report.hear({"type": "take", "run": 7}, {})
    assert said == [{"type": "offer", "run": 7, "pieces": 0}]


def test_partial_arrays_must_be_finite():
    report = PipeReport(7, lambda message, arrays: None, TASKS)
    with pytest.raises(NotFiniteError, match="'mean'"):
        report.progress(1, 2, partial=({}, {"mean": np.array([np.nan])}))


@settings(max_examples=80, deadline=None)
@given(
    st.integers(1, 8), st.lists(st.sampled_from(["own", "lend", "answer", "return", "double"]), max_size=60)
)
def test_every_order_of_events_ends_with_each_result_once(count, events):
    board = Board("square", [({}, {})] * count)
    lent, told = [], []
    for event in events:
        if event == "own" and not board.complete():
            index = board.next_for_owner(patience=-1.0)
            if index is not None:
                board.deliver(index, ({"index": index}, {}))
        elif event == "lend" and (index := board.next_for_lender()) is not None:
            lent.append(index)
        elif lent and event != "lend":
            index = lent[-1]
            if event == "return":
                board.give_back(lent.pop())
            else:
                board.deliver(index, ({"index": index}, {}))
                if event == "answer":
                    lent.pop()
        told += [index for index, _ in board.arrived()]
    while not board.complete():  # the lenders are gone: the owner does the rest
        index = board.next_for_owner(patience=-1.0)
        if index is not None:
            board.deliver(index, ({"index": index}, {}))
        told += [index for index, _ in board.arrived()]
    assert sorted(told) == list(range(count))
    assert [message["index"] for message, _ in board.in_order()] == list(range(count))
