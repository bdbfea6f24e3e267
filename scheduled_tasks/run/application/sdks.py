"""Tell the application's own Sentry and OpenTelemetry which run this is, and that its task failed.

Only if the task or its application has imported them: they come from `sys.modules`, and nothing is imported here. An
exception of the task ends in run-task, so the hook with which Sentry sees uncaught ones would never see it. Whatever
they raise, the run goes on.
"""

from __future__ import annotations

import logging
import sys
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any

from scheduled_tasks.run.current import OPENTELEMETRY, SENTRY, parse_traceparent, span_id, trace_id

if TYPE_CHECKING:
    from collections.abc import Iterator
    from contextlib import AbstractContextManager

    from scheduled_tasks.run.current import Run

FLUSH_TIMEOUT = 2.0  # seconds of each; what can't be sent by then is lost, and the run ends all the same

logger = logging.getLogger("scheduled_tasks.run")


def tags_of(run: Run) -> dict[str, str]:
    """What is known of a run, for tags and attributes."""
    known = {
        "task": run.task, "clock": run.clock, "job": run.job, "slot": run.due, "run_id": run.run_id,
        "attempt": str(run.attempt), "host": run.host,
    }  # fmt: skip
    return {name: value for name, value in known.items() if value}


@contextmanager
def around_task(run: Run) -> Iterator[None]:
    """Tag what the task sends to Sentry, and trace it in a span of its own; report its exception."""
    with ExitStack() as stack:
        try:
            if sentry := sys.modules.get(SENTRY):
                for name, value in tags_of(run).items():
                    sentry.set_tag(name, value)
            if trace := sys.modules.get(OPENTELEMETRY):
                stack.enter_context(_task_span(trace, run))
        except Exception as problem:  # noqa: BLE001 - another library's; the task is to run
            logger.warning("this run has no tags: %s: %s", type(problem).__name__, problem)
        try:
            yield
        except Exception as error:
            _report(error)
            raise


def _task_span(trace: Any, run: Run) -> AbstractContextManager[object]:
    """A span for the task, below the run's own, which is exported from the ledger (metrics/traces)."""
    attributes = {f"scheduled_tasks.{name}": value for name, value in tags_of(run).items()}
    parent = trace.NonRecordingSpan(_span_context(trace, trace_id(run.run_id), span_id(run.run_id, run.attempt)))
    started_in = parse_traceparent(run.traceparent)
    span: AbstractContextManager[object] = trace.get_tracer("scheduled_tasks").start_as_current_span(
        run.task,
        context=trace.set_span_in_context(parent),
        attributes=attributes | {"scheduled_tasks.attempt": run.attempt},
        links=[trace.Link(_span_context(trace, *started_in))] if started_in else [],
    )
    return span


def _span_context(trace: Any, trace_id: str, span_id: str) -> Any:
    flags = trace.TraceFlags(trace.TraceFlags.SAMPLED)
    return trace.SpanContext(int(trace_id, 16), int(span_id, 16), is_remote=True, trace_flags=flags)


def _report(error: Exception) -> None:
    try:
        if sentry := sys.modules.get(SENTRY):  # which drops an exception that it has just got
            sentry.capture_exception(error)
    except Exception as problem:  # noqa: BLE001 - see above
        logger.warning("Sentry was not told of the failure: %s: %s", type(problem).__name__, problem)


def flush() -> None:
    """Have them send what they have, for a bounded time: at the end of a run no exit handler may do so."""
    try:
        if sentry := sys.modules.get(SENTRY):
            sentry.flush(timeout=FLUSH_TIMEOUT)
        if trace := sys.modules.get(OPENTELEMETRY):
            provider: Any = trace.get_tracer_provider()
            force_flush = getattr(provider, "force_flush", None)  # the API alone has none
            if force_flush is not None:
                force_flush(timeout_millis=int(FLUSH_TIMEOUT * 1000))
    except Exception as problem:  # noqa: BLE001 - see above
        logger.warning("not everything could be flushed: %s: %s", type(problem).__name__, problem)
