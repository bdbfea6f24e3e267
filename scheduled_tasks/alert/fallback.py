"""Tell that this host's watch can't use the ledger: one message on the fallback route, and one when it is over.

Without the ledger there are no incidents and no notices. What the watch has recorded (`outage`) goes in, at most one
message goes out; a stamp in the sender's own folder keeps what was told. It needs no database.
"""

from __future__ import annotations

import html
import json
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import NAMESPACE_URL, uuid5

from scheduled_tasks import files
from scheduled_tasks.alert import outage
from scheduled_tasks.alert.delivery import DeliveryError, deliver
from scheduled_tasks.alert.message.message import Message
from scheduled_tasks.instants import from_epoch, in_sentence
from scheduled_tasks.quantities import counted, duration

if TYPE_CHECKING:
    from scheduled_tasks.alert.message.message import Severity
    from scheduled_tasks.alert.outage import Outage
    from scheduled_tasks.alert.routes import NotifySettings
    from scheduled_tasks.render.names import Places

STAMP = "outage.json"
MAX_NAMES = 20  # of jobs in a message


def tell(notify: NotifySettings, places: Places, now: datetime, stamps: Path) -> list[str]:
    """Tell of an outage that lasts for five minutes, once, and of its end, if it was told.

    Args:
        notify: the checked table `[notify]`.
        places: of this machine.
        now: the instant, by this machine's clock.
        stamps: a folder that lasts from one start of the sender to the next.

    Returns:
        What went wrong, a line for each route that was tried in vain; the next sender tries again.
    """
    known = outage.read(places)
    if known is None or not known.is_long(now):
        return []
    what = "closed" if known.until else "opened"
    told = _told(stamps / STAMP)
    due = ("opened", known.since) not in told if what == "opened" else told == [("opened", known.since)]
    if not due:
        return []
    message = _message(known, what, now)
    problems = []
    for name in dict.fromkeys((notify.fallback, *notify.default)):
        if name not in notify.routes:
            continue
        try:
            deliver(notify.routes[name], message)
        except DeliveryError as error:
            problems.append(f"can't tell on route {name} that the ledger is out of reach: {error}")
            continue
        files.write(stamps / STAMP, json.dumps([*(told if what == "closed" else ()), (what, known.since)]))
        break
    return problems


def _told(stamp: Path) -> list[tuple[str, float]]:
    with suppress(FileNotFoundError, *files.CORRUPT):
        return [(str(what), float(since)) for what, since in json.loads(stamp.read_text(encoding="utf-8"))]
    return []


def _message(known: Outage, what: str, now: datetime) -> Message:
    since = from_epoch(known.since)
    if known.until:
        subject = f"[{known.host}] the ledger can be used again"
        lines = [
            f"The watch of {known.host} uses the ledger again, after {duration(known.until - known.since)}.",
            "Results that were kept on its disk are being recorded, and slots that were due meanwhile are judged.",
            "Next: clocks status --bad",
        ]
    else:
        subject = f"[{known.host}] the ledger is out of reach"
        kept = f"It keeps {counted(known.results, 'result')} of runs on its disk; they are recorded when it can."
        lines = [
            f"The watch of {known.host} can't use the ledger since {in_sentence(since)}: {known.error}",
            (
                "Until it can, no slot of this host is judged, nobody is told of a job that fails, and jobs end with "
                "exit code 75 unless they have on_database_error='run'."
            ),
            *([kept] if known.results else []),
            *([f"Failed, not yet recorded: {_names(known.failed)}."] if known.failed else []),
            (
                f"Next: mend the database; then, on {known.host}, systemctl start --wait clock-watch.service records "
                "what was kept, and clocks status --bad says what to do next."
            ),
        ]
    text = "\n\n".join(lines) + "\n"
    identity = uuid5(NAMESPACE_URL, f"scheduled-tasks:{known.host}:{known.since}:{what}")
    severity: Severity = "ok" if known.until else "critical"
    paragraphs = "".join(f"<p>{html.escape(line)}</p>" for line in lines)
    return Message(identity, what, severity, subject, text, f"<html><body>{paragraphs}</body></html>", now)


def _names(services: tuple[str, ...]) -> str:
    more = f" and {len(services) - MAX_NAMES} more" if len(services) > MAX_NAMES else ""
    return ", ".join(services[:MAX_NAMES]) + more
