"""A message, ready to be sent on any route, and how serious it is. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal
from uuid import UUID

from scheduled_tasks.alert.incidents import Kind
from scheduled_tasks.instants import rfc3339

Severity = Literal["critical", "warning", "ok"]
DATA_VERSION = 1

_WARNINGS = (Kind.LATE, Kind.SHORT, Kind.SLOW)  # the work was done, or is being done


@dataclass(frozen=True)
class Message:
    """A message.

    Attributes:
        id: the same in each try; a receiver can recognise a repetition by it.
        what: `opened`, `still`, `closed`, `flapping` or `digest`; `test` of a test.
        severity: of the worst incident in it that is open; `ok` if none is.
        subject: one line.
        text, html: the whole message.
        sent_at: when it was composed.
        incidents: what it is about, for programs; empty of a test, and of what a host says without a database.
    """

    id: UUID
    what: str
    severity: Severity
    subject: str
    text: str
    html: str
    sent_at: datetime
    incidents: Sequence[Mapping[str, Any]] = ()

    @property
    def data(self) -> Mapping[str, Any]:
        """The message for programs, the body of a webhook (delivery/webhook.schema.json)."""
        return {
            "version": DATA_VERSION,
            "id": str(self.id),
            "what": self.what,
            "severity": self.severity,
            "subject": self.subject,
            "text": self.text,
            "sent_at": rfc3339(self.sent_at),
            "incidents": list(self.incidents),
        }


def severity_of(kind: Kind) -> Severity:
    """How serious an open incident is."""
    return "warning" if kind in _WARNINGS else "critical"
