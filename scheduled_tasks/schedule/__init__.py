"""Schedules: parse what a clock file says about time, and compute the instants at which a job runs.

Trigger fields go in; triggers, OnCalendar lines, occurrences, warnings and faults come out. The package does no I/O and
never asks for the current time. Names are loaded on first use: the hot path gets the evaluator without APScheduler.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from scheduled_tasks.schedule.description import describe
    from scheduled_tasks.schedule.evaluator import Occurrence, latest_occurrence, occurrences
    from scheduled_tasks.schedule.parser import read_trigger
    from scheduled_tasks.schedule.timing import Timing
    from scheduled_tasks.schedule.translation import translate
    from scheduled_tasks.schedule.trigger import Trigger

__all__ = [
    "Occurrence",
    "Timing",
    "Trigger",
    "describe",
    "latest_occurrence",
    "occurrences",
    "read_trigger",
    "translate",
]

MODULES = {
    "Occurrence": "evaluator",
    "Timing": "timing",
    "Trigger": "trigger",
    "describe": "description",
    "latest_occurrence": "evaluator",
    "occurrences": "evaluator",
    "read_trigger": "parser",
    "translate": "translation",
}


def __getattr__(name: str) -> Any:
    if name not in MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    globals()[name] = found = getattr(import_module(f"{__name__}.{MODULES[name]}"), name)
    return found
