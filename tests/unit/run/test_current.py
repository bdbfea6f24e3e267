"""The identity of a run."""

from __future__ import annotations

import uuid

import pytest

from scheduled_tasks.run.current import Run, parse_traceparent, random_uuid, span_id, trace_id


def test_a_run_id_is_a_random_uuid() -> None:
    made = {uuid.UUID(random_uuid()) for _ in range(100)}
    assert len(made) == 100
    assert {(value.version, value.variant) for value in made} == {(4, uuid.RFC_4122)}


def test_two_runs_have_two_ids() -> None:
    assert Run(task="a.b", name="b").run_id != Run(task="a.b", name="b").run_id


RUN_ID = "4bf92f35-77b3-4da6-a3ce-929d0e0e4736"


def test_a_runs_trace_has_its_id_and_its_span_the_first_eight_bytes() -> None:
    assert trace_id(RUN_ID) == "4bf92f3577b34da6a3ce929d0e0e4736"
    assert span_id(RUN_ID, 1) == span_id(RUN_ID, 0) == "4bf92f3577b34da6"


def test_each_retry_has_a_span_of_its_own_and_none_is_zero() -> None:
    assert span_id(RUN_ID, 2) == "4bf92f3477b34da6"
    spans = {span_id(RUN_ID, attempt) for attempt in range(1, 10_001)}
    assert (len(spans), {len(span) for span in spans}) == (10_000, {16})
    assert int(span_id("00000001-0000-4000-8000-000000000000", 2), 16) != 0


@pytest.mark.parametrize(
    "text",
    [
        "", "00", "x" * 55,
        "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7",
        "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01",
        "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
        "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",
        "ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
        "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-more",
    ],
)  # fmt: skip
def test_what_w3c_trace_context_refuses_is_refused(text: str) -> None:
    assert parse_traceparent(text) is None


def test_a_traceparent_names_a_trace_and_a_span() -> None:
    text = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
    assert parse_traceparent(text) == ("4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7")
