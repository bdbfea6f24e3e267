"""A task's own Sentry and OpenTelemetry know which run it is and how it failed, and lose nothing at its end."""

from __future__ import annotations

import gzip
import json
from typing import TYPE_CHECKING, Any

import psycopg
import pytest

from scheduled_tasks.deploy import start_requests
from scheduled_tasks.render.names import Places
from tests.outside.http_server import Answer, Request, http_server

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.integration.run.support import Project

SLOT = "2026-11-24T01:30:00Z"
SCHEDULE = '{"kind": "cron", "zone": "UTC", "minutes": [30], "seconds": [0]}'
JOB = ("--clock=shop", "--job=sell", f"--schedule={SCHEDULE}", f"--at={SLOT}")


class Sentry:
    """What receives a project's envelopes."""

    def __init__(self) -> None:
        self.dsn = ""
        self.items: list[dict[str, Any]] = []

    @property
    def events(self) -> list[dict[str, Any]]:
        return [item for item in self.items if "exception" in item or "message" in item]

    def take(self, request: Request) -> Answer:
        data = gzip.decompress(request.data) if request.headers.get("Content-Encoding") == "gzip" else request.data
        self.items += map(json.loads, filter(None, data.splitlines()))
        return 200, {}


@pytest.fixture
def sentry() -> Iterator[Sentry]:
    service = Sentry()
    with http_server(service.take) as url:
        service.dsn = f"{url.replace('http://', 'http://key@')}/42"
        yield service


def run_id_of(line: dict[str, Any]) -> str:
    return str(line["run_id"])


def test_what_a_task_sends_to_sentry_has_the_runs_tags(shop: Project, sentry: Sentry) -> None:
    finished = shop.run("with_sentry.says", *JOB, SENTRY_DSN=sentry.dsn)
    assert finished.statuses == ["started", "ended"]
    [event] = sentry.events
    assert event["message"] == "half of it is done"
    host = event["tags"].pop("host")
    assert host
    assert event["tags"] == {
        "task": "with_sentry.says",
        "clock": "shop",
        "job": "sell",
        "slot": SLOT,
        "run_id": run_id_of(finished.end),
        "attempt": "1",
    }


@pytest.mark.parametrize("task", ["fails", "reports"])
def test_the_exception_that_ended_a_task_reaches_sentry_once(shop: Project, sentry: Sentry, task: str) -> None:
    finished = shop.run(f"with_sentry.{task}", *JOB, SENTRY_DSN=sentry.dsn)
    assert (finished.exit_code, finished.statuses) == (1, ["started", "failed"])
    [event] = sentry.events
    assert event["exception"]["values"][-1]["value"] == "no luck today"
    assert event["tags"]["run_id"] == run_id_of(finished.end)


def test_an_sdk_that_raises_changes_nothing_of_the_run(shop: Project, sentry: Sentry) -> None:
    finished = shop.run("with_sentry.breaks_it", *JOB, SENTRY_DSN=sentry.dsn)
    assert (finished.exit_code, finished.statuses) == (1, ["started", "failed"])
    assert finished.end["exception"]["message"] == "no luck today"
    assert [message.partition(":")[0] for message in finished.messages(level="warning")] == [
        "Sentry was not told of the failure",
        "not everything could be flushed",
    ]


def test_a_server_that_is_gone_delays_the_end_for_seconds_only(shop: Project, sentry: Sentry) -> None:
    finished = shop.run("with_sentry.fails", *JOB, SENTRY_DSN="http://key@127.0.0.1:9/42")
    assert finished.statuses == ["started", "failed"]
    assert finished.end["duration"] < 30


@pytest.mark.parametrize(("task", "status"), [("works", "UNSET"), ("fails", "ERROR")])
def test_a_task_runs_in_a_span_with_the_runs_attributes(shop: Project, tmp_path: Path, task: str, status: str) -> None:
    finished = shop.run(f"with_traces.{task}", *JOB, SPANS=str(tmp_path / "spans"))
    spans = {span["name"]: span for span in map(json.loads, (tmp_path / "spans").read_text().splitlines())}
    own = spans[f"with_traces.{task}"]
    assert own["status"]["status_code"] == status
    assert own["attributes"]["scheduled_tasks.job"] == "sell"
    assert own["attributes"]["scheduled_tasks.slot"] == SLOT
    assert own["attributes"]["scheduled_tasks.run_id"] == run_id_of(finished.end)
    if task == "works":
        assert spans["sell"]["parent_id"] == own["context"]["span_id"]
    else:
        assert own["events"][0]["attributes"]["exception.message"] == "no luck today"


def spans_of(folder: Path) -> dict[str, dict[str, Any]]:
    """The spans that a task has written, by their names."""
    return {span["name"]: span for span in map(json.loads, (folder / "spans").read_text().splitlines())}


@pytest.mark.parametrize("task", ["works", "asks_its_environment", "starts_another"])
def test_what_a_task_traces_is_below_the_runs_own_span(shop: Project, tmp_path: Path, task: str) -> None:
    finished = shop.run(f"with_traces.{task}", *JOB, SPANS=str(tmp_path / "spans"))
    spans = spans_of(tmp_path)
    run_id = run_id_of(finished.end).replace("-", "")
    assert {span["context"]["trace_id"] for span in spans.values()} == {f"0x{run_id}"}
    topmost = {"works": f"with_traces.{task}", "asks_its_environment": "sell", "starts_another": "pack"}[task]
    assert spans[topmost]["parent_id"] == f"0x{run_id[:16]}"


def test_the_trace_in_which_a_run_was_started_is_kept_as_a_link(
    shop: Project, tmp_path: Path, connection: psycopg.Connection[Any]
) -> None:
    started_in = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    finished = shop.run("with_traces.works", *JOB, SPANS=str(tmp_path / "spans"), TRACEPARENT=started_in)
    own = spans_of(tmp_path)["with_traces.works"]
    assert own["context"]["trace_id"] == f"0x{run_id_of(finished.end).replace('-', '')}"
    [link] = own["links"]
    assert link["context"]["trace_id"] == "0x0af7651916cd43dd8448eb211c80319c"
    assert link["context"]["span_id"] == "0xb7ad6b7169203331"
    assert connection.execute("SELECT traceparent FROM task_run").fetchall() == [(started_in,)]


def test_what_is_no_trace_context_is_not_kept(shop: Project, connection: psycopg.Connection[Any]) -> None:
    finished = shop.run("ends.well", *JOB, TRACEPARENT="00-0af7651916cd43dd8448eb211c80319c")
    assert finished.statuses == ["started", "ended"]
    assert connection.execute("SELECT traceparent FROM task_run").fetchall() == [(None,)]


def test_a_start_request_carries_the_trace_of_who_requested_it(
    shop: Project, tmp_path: Path, connection: psycopg.Connection[Any]
) -> None:
    started_in = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    places = Places(root=tmp_path)
    unit = "clock-shop-sell.service"
    start_requests.write(places, unit, at=None, trigger="manual", traceparent=started_in)
    lines = (places.start_requests / "clock-shop-sell").read_text().splitlines()
    request = dict(line.split("=", 1) for line in lines)
    del request["SCHEDULED_TASKS_REQUESTED_AT"]  # for which it would ask systemd
    assert shop.run("ends.well", *JOB[:2], **request).statuses == ["started", "ended"]
    assert connection.execute("SELECT trigger, traceparent FROM task_run").fetchall() == [("manual", started_in)]


def test_a_retry_keeps_the_trace_of_who_requested_it_and_is_in_the_same_trace(
    shop: Project, tmp_path: Path, connection: psycopg.Connection[Any]
) -> None:
    started_in = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    (tmp_path / "attempts").touch()
    with_retries = {"RUNTIME_DIRECTORY": str(tmp_path), "SPANS": str(tmp_path / "spans")}
    shop.run("with_traces.fails", *JOB, TRACEPARENT=started_in, **with_retries)
    finished = shop.run("with_traces.asks_its_environment", *JOB, **with_retries)
    columns = "run_id::text, attempt, traceparent"
    [(run_id, attempt, kept)] = connection.execute(f"SELECT {columns} FROM task_run").fetchall()
    assert (run_id, attempt, kept) == (run_id_of(finished.end), 2, started_in)
    sell = spans_of(tmp_path)["sell"]
    assert sell["context"]["trace_id"] == f"0x{run_id.replace('-', '')}"
    first_half = int(run_id[:8], 16) ^ 1
    assert sell["parent_id"] == f"0x{first_half:08x}{run_id.replace('-', '')[8:16]}"
