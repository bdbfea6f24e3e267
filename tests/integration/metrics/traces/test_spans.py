"""What a span says of its attempt: how it ended, with which facts, and no secrets."""

from __future__ import annotations

import json
from typing import Any
from uuid import uuid4

import pytest

from scheduled_tasks.metrics.traces.export import Exported
from tests.integration.metrics.traces.shop import Shop, ids
from tests.outside.otlp import attributes


def test_a_run_that_ended_well_has_a_span_with_its_facts(shop: Shop) -> None:
    known: dict[str, Any] = {"release": "7", "lag": 0.25, "exit_code": 0, "cpu_seconds": 0.5, "memory_peak": 1 << 20}
    run = shop.sell.start(shop.slot)
    shop.sell.end(run, **known)
    assert shop.export() == Exported(1)
    [(key, span)] = shop.receiver.spans.items()
    assert key == ids(run)
    assert (span.name, span.kind, span.status.code) == (
        "sales.sell",
        span.SPAN_KIND_INTERNAL,
        span.status.STATUS_CODE_UNSET,
    )
    assert span.parent_span_id == b""
    began = int(shop.slot.timestamp()) * 10**9
    assert (span.start_time_unix_nano, span.end_time_unix_nano) == (began, began + 3 * 10**9)
    assert attributes(span.attributes) == {
        "scheduled_tasks.task": "sales.sell", "scheduled_tasks.clock": "shop", "scheduled_tasks.job": "sell",
        "scheduled_tasks.slot": f"{shop.slot:%Y-%m-%dT%H:00:00Z}", "scheduled_tasks.run_id": run,
        "scheduled_tasks.attempt": 1, "scheduled_tasks.host": "app1", "scheduled_tasks.trigger": "timer",
        "scheduled_tasks.outcome": "ended", "scheduled_tasks.release": "7", "scheduled_tasks.lag": 0.25,
        "scheduled_tasks.cpu_seconds": 0.5, "scheduled_tasks.memory_peak": 1 << 20, "process.exit.code": 0,
    }  # fmt: skip
    assert shop.receiver.resources[key] == {"service.name": "shop", "service.version": "7", "host.name": "app1"}


def test_a_failure_is_an_error_with_its_exception_and_without_secrets(shop: Shop) -> None:
    error = {"error_type": "OSError", "error_message": "no answer from https://anna:hunter2secret@api.example.org"}
    shop.sell.end(shop.sell.start(shop.slot), "failed", exit_code=1, **error)
    shop.export()
    [span] = shop.receiver.spans.values()
    assert span.status.code == span.status.STATUS_CODE_ERROR
    assert span.status.message.startswith("OSError: no answer from")
    [event] = span.events
    assert (event.name, event.time_unix_nano) == ("exception", span.end_time_unix_nano)
    assert attributes(event.attributes)["exception.type"] == "OSError"
    assert attributes(span.attributes)["error.type"] == "OSError"
    assert attributes(span.attributes)["process.exit.code"] == 1
    assert "hunter2secret" not in shop.receiver.requests[-1].body


@pytest.mark.parametrize("status", ["missed", "lost"])
def test_what_no_run_can_report_has_a_span_that_is_an_error(shop: Shop, status: str) -> None:
    reason = "its process is gone, and how it ended is unknown"
    run = shop.sell.start(shop.slot, status=status, trigger="watch", attempt=0, reason=reason)
    shop.export()
    [(key, span)] = shop.receiver.spans.items()
    assert key == ids(run)
    assert (span.status.code, span.status.message) == (span.status.STATUS_CODE_ERROR, reason)
    assert span.end_time_unix_nano == span.start_time_unix_nano
    assert attributes(span.attributes)["scheduled_tasks.outcome"] == status
    assert attributes(span.attributes)["error.type"] == status
    assert not span.events


def test_a_skip_is_no_error(shop: Shop) -> None:
    shop.sell.end(shop.sell.start(shop.slot), "skipped", reason="paused: stocktaking (anna)")
    shop.export()
    [span] = shop.receiver.spans.values()
    assert span.status.code == span.status.STATUS_CODE_UNSET
    assert attributes(span.attributes)["scheduled_tasks.reason"] == "paused: stocktaking (anna)"


def test_a_killed_attempt_whose_slot_runs_again_has_a_span_of_its_own(shop: Shop) -> None:
    run = shop.sell.start(shop.slot)
    shop.connection.execute("UPDATE task_run SET attempt = 2, started_at = started_at + interval '1 minute'")  # a retry
    shop.sell.end(run)
    other = str(uuid4())
    shop.connection.execute("UPDATE task_run SET run_id = %s, host = 'app2', attempt = 3, status = 'started'", [other])
    shop.export()
    assert set(shop.receiver.spans) == {ids(run), ids(run, 2)}
    assert shop.receiver.attribute("scheduled_tasks.outcome") == ["ended", "lost"]
    killed = shop.receiver.spans[ids(run)]
    assert killed.status.message == "another run took its slot over"
    shop.sell.end(other)
    shop.export()
    assert shop.receiver.resources[ids(other, 3)]["host.name"] == "app2"


def test_the_trace_in_which_it_was_started_is_a_link(shop: Shop) -> None:
    started_in = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    shop.sell.end(shop.sell.start(shop.slot, traceparent=started_in))
    shop.export()
    [span] = shop.receiver.spans.values()
    [link] = span.links
    assert (link.trace_id.hex(), link.span_id.hex()) == ("0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331")


def test_a_request_is_json_of_otlp(shop: Shop) -> None:
    """Integers of 64 bits are text, and ids are in hexadecimal."""
    shop.sell.end(shop.sell.start(shop.slot), exit_code=0)
    shop.export()
    [resource] = json.loads(shop.receiver.requests[0].body)["resourceSpans"]
    [span] = resource["scopeSpans"][0]["spans"]
    assert {"key": "process.exit.code", "value": {"intValue": "0"}} in span["attributes"]
    assert (len(span["traceId"]), len(span["spanId"]), span["kind"]) == (32, 16, 1)
    assert span["endTimeUnixNano"].isdecimal()
