"""A message, ready to be sent on any route, and how serious it is. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal
from uuid import UUID

from scheduled_tasks.alert.incidents import Kind

Severity = Literal["critical", "warning", "ok"]

_WARNINGS = (Kind.LATE, Kind.SHORT, Kind.SLOW)  # the work was done, or is being done


@dataclass(frozen=True)
class Message:
    """A message.

    Attributes:
        id: the same in each try; a receiver can recognise a repetition by it.
        what: `opened`, `still`, `closed`, `flapping` or `digest`.
        severity: of the worst incident in it that is open; `ok` if none is.
        subject: one line.
        text, html: the whole message.
        data: the same for programs, the body of a webhook.
    """

    id: UUID
    what: str
    severity: Severity
    subject: str
    text: str
    html: str
    data: Mapping[str, Any]


def severity_of(kind: Kind) -> Severity:
    """How serious an open incident is."""
    return "warning" if kind in _WARNINGS else "critical"
