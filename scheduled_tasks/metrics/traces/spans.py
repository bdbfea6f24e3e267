"""The span of an attempt: rows of the ledger go in, an ExportTraceServiceRequest of OTLP comes out as JSON. Pure.

Its ids follow from the row's (run/current.py), so that exporting it again adds no other span. What an application
traces in its task is below it. OTLP's JSON has the ids in hexadecimal, enums as numbers, and integers of 64 bits as
text (opentelemetry.io/docs/specs/otlp, "JSON Protobuf Encoding"); names of attributes are those of the semantic
conventions where there is one.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from scheduled_tasks import __version__
from scheduled_tasks.instants import rfc3339
from scheduled_tasks.masking import mask
from scheduled_tasks.run.current import parse_traceparent, span_id, trace_id
from scheduled_tasks.run.status import BAD, RunStatus

if TYPE_CHECKING:
    from scheduled_tasks.metrics.traces.trace_settings import TraceSettings
    from scheduled_tasks.operate.history import RunRow

SCOPE = {"name": "scheduled_tasks", "version": __version__}
INTERNAL, ERROR = 1, 2  # Span.SpanKind, Status.StatusCode (opentelemetry/proto/trace/v1/trace.proto)
# Span.flags: sampled, as TRACEPARENT says, and that it is known whether the parent is remote: there is none.
FLAGS = 0x101
REPLACED = "another run took its slot over"
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def export_request(rows: Iterable[RunRow], settings: TraceSettings) -> dict[str, Any]:
    """The request that exports the spans of some attempts, which are over."""
    by_resource: dict[tuple[str, str], list[dict[str, Any]]] = defaultdict(list)
    for row in rows:
        by_resource[row.host, row.release or ""].append(span(row))
    return {
        "resourceSpans": [
            {
                "resource": {"attributes": _attributes(_resource(host, release, settings))},
                "scopeSpans": [{"scope": SCOPE, "spans": spans}],
            }
            for (host, release), spans in by_resource.items()
        ]
    }


def _resource(host: str, release: str, settings: TraceSettings) -> Mapping[str, object]:
    """opentelemetry.io/docs/specs/semconv/resource: the service, its version, the host."""
    own = {"service.name": settings.service, "service.version": release, "host.name": host}
    return {**own, **settings.resource}


def has_ids(row: RunRow) -> bool:
    """Whether the ids of an attempt's span are valid: they must not be zero."""
    return bool(row.run_id.int and span_id(str(row.run_id), row.attempt).strip("0"))


def span(row: RunRow) -> dict[str, Any]:
    """The span of an attempt. One that was replaced before anybody had recorded its end was lost."""
    is_replaced = row.status == RunStatus.STARTED
    outcome = RunStatus.LOST if is_replaced else RunStatus(row.status)
    ended_at = row.ended_at or (row.replaced_at if is_replaced else None) or row.started_at
    why = mask(REPLACED if is_replaced else _why(row, outcome))
    made: dict[str, Any] = {
        "traceId": trace_id(str(row.run_id)),
        "spanId": span_id(str(row.run_id), row.attempt),
        "flags": FLAGS,
        "name": row.task,
        "kind": INTERNAL,
        "startTimeUnixNano": _nanoseconds(row.started_at),
        "endTimeUnixNano": _nanoseconds(max(ended_at, row.started_at)),
        "attributes": _attributes(_facts(row, outcome, why)),
    }
    if outcome == RunStatus.FAILED and row.error_type:
        exception = {"exception.type": row.error_type, "exception.message": mask(row.error_message or "")}
        event = {"timeUnixNano": made["endTimeUnixNano"], "name": "exception", "attributes": _attributes(exception)}
        made["events"] = [event]
    if outcome in BAD:
        made["status"] = {"code": ERROR, "message": why}
    if started_in := parse_traceparent(row.traceparent or ""):
        made["links"] = [dict(zip(("traceId", "spanId"), started_in, strict=True))]
    return made


def _why(row: RunRow, outcome: RunStatus) -> str:
    """Why it did not end well; of a run that failed, its error says more than that its slot was claimed again."""
    error = ": ".join(filter(None, (row.error_type, row.error_message)))
    return (error or row.reason or "") if outcome == RunStatus.FAILED else (row.reason or error)


def _facts(row: RunRow, outcome: RunStatus, why: str) -> Mapping[str, object]:
    is_bad = outcome in BAD
    return {
        "scheduled_tasks.task": row.task,
        "scheduled_tasks.clock": row.clock,
        "scheduled_tasks.job": row.job,
        "scheduled_tasks.slot": rfc3339(row.scheduled_at) if row.scheduled_at else None,
        "scheduled_tasks.run_id": str(row.run_id),
        "scheduled_tasks.attempt": row.attempt,
        "scheduled_tasks.host": row.host,
        "scheduled_tasks.trigger": row.trigger,
        "scheduled_tasks.outcome": outcome.value,
        "scheduled_tasks.reason": why,
        "scheduled_tasks.release": row.release,
        "scheduled_tasks.lag": row.lag,
        "scheduled_tasks.cpu_seconds": row.cpu_seconds,
        "scheduled_tasks.memory_peak": row.memory_peak,
        "process.exit.code": row.exit_code,
        "error.type": (row.error_type or outcome.value) if is_bad else None,
    }


def _attributes(values: Mapping[str, object]) -> list[dict[str, Any]]:
    """Those that are known."""
    return [{"key": name, "value": _value(value)} for name, value in values.items() if value not in {None, ""}]


def _value(value: object) -> dict[str, object]:
    if isinstance(value, int):
        return {"intValue": str(value)}
    return {"doubleValue": value} if isinstance(value, float) else {"stringValue": str(value)}


def _nanoseconds(at: datetime) -> str:
    return str((at - _EPOCH) // timedelta(microseconds=1) * 1000)
