"""Tasks of a module that sets OpenTelemetry up, without an exit handler: what is not flushed is lost."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from opentelemetry import propagate, trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, ConsoleSpanExporter

provider = TracerProvider(shutdown_on_exit=False)
spans = Path(os.environ["SPANS"]).open("a", encoding="utf-8")  # noqa: SIM115 - it stays open until the process ends
exporter = ConsoleSpanExporter(out=spans, formatter=lambda span: f"{span.to_json(indent=None)}\n")
provider.add_span_processor(BatchSpanProcessor(exporter))
trace.set_tracer_provider(provider)


def works() -> None:
    """Has a span of its own."""
    with trace.get_tracer("shop").start_as_current_span("sell"):
        pass


def asks_its_environment() -> None:
    """Continues the trace that the environment names, as a program does that has only that."""
    carrier = {"traceparent": os.environ["TRACEPARENT"]}
    with trace.get_tracer("shop").start_as_current_span("sell", context=propagate.extract(carrier)):
        pass


def starts_another() -> None:
    """Starts a program that traces too."""
    subprocess.run([sys.executable, "-c", PACK], check=True)


PACK = """
from opentelemetry import propagate, trace
from shop.tasks.with_traces import os, provider

context = propagate.extract({"traceparent": os.environ["TRACEPARENT"]})
with trace.get_tracer("shop").start_as_current_span("pack", context=context):
    pass
provider.force_flush()
"""


def fails() -> None:
    """Raises."""
    raise ValueError("no luck today")
