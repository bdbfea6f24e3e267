"""The outbox: take the messages that are due, and record whether they were sent. Each is sent at least once.

A sender takes a message for TAKEN_FOR; if it is killed, another one takes the same message, with the same id, after
that. Two senders never wait for each other (SKIP LOCKED). What goes into a message is decided by `noise`.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, NamedTuple

from scheduled_tasks.alert import noise
from scheduled_tasks.alert.incident_rows import INCIDENT, NOTICE, as_incident, as_notice
from scheduled_tasks.alert.incidents import TRIES_PER_ROUTE, Delivery, Incident, Kind, Notice, What
from scheduled_tasks.operate import pauses

if TYPE_CHECKING:
    from uuid import UUID

    from scheduled_tasks.operate.slots import Pause
    from scheduled_tasks.run.database import Connection

TAKEN_FOR = timedelta(minutes=2)  # a try must take less
SOON = timedelta(seconds=15)  # a sender that has nothing to do waits for what is due so soon
BACKOFF = (timedelta(seconds=10), timedelta(seconds=30))  # between the tries of one route; then the next one at once
ROUND_PAUSE = timedelta(minutes=5)  # after all routes have failed
MAX_NOTICES = 500  # that one take reads
MAX_ERROR = 2_000  # characters

IS_PENDING = "sent_at IS NULL AND dropped IS NULL"
_NEXT_TRY = "greatest(due_at, taken_until)"  # PostgreSQL ignores null here


def is_due(connection: Connection, now: datetime) -> bool:
    """Whether a sender has something to do now, or in a moment."""
    due_at = next_due(connection)
    return due_at is not None and due_at <= now + SOON


def next_due(connection: Connection) -> datetime | None:
    """When the next pending notice is due, or tried again; None if none is pending."""
    row = connection.execute(f"SELECT min({_NEXT_TRY}) FROM notice WHERE {IS_PENDING}").fetchone()  # noqa: S608 - our own text
    return row[0] if row else None


def oldest_unsent(connection: Connection, now: datetime, *, of_all: bool = True) -> timedelta:
    """For how long the oldest pending notice has been due; zero if none is. A held notice is due when that ends.

    Unless `of_all`, without the notices of the incident `unsent` itself.
    """
    row = connection.execute(
        "SELECT min(due_at) FROM notice JOIN incident ON incident.id = notice.incident"  # noqa: S608 - our own text
        f" WHERE {IS_PENDING} AND (%s OR kind <> 'unsent')",
        [of_all],
    ).fetchone()
    return max(now - row[0], timedelta()) if row and row[0] else timedelta()


def drop_all(connection: Connection, why: str) -> int:
    """Drop all pending notices; return how many there were."""
    return connection.execute(f"UPDATE notice SET dropped = %s WHERE {IS_PENDING}", [why]).rowcount  # noqa: S608 - our own text


def take(  # noqa: PLR0913 - the configured routes are three of them
    connection: Connection,
    now: datetime,
    limit: int = 1,
    *,
    default: Sequence[str] = (),
    fallback: str = "",
    known: Collection[str] | None = None,
) -> list[Delivery]:
    """Take messages that are due, for TAKEN_FOR; record what is held and what is dropped.

    Args:
        connection: on which each statement is a transaction of its own.
        now: the database's time.
        limit: how many at most; the caller must have tried them all within TAKEN_FOR.
        default: the routes of jobs that name none, and of hosts.
        fallback: the route that is tried last, and first for the incident `unsent`; "" if there is none.
        known: the names of the configured routes: others are left out; None if all are known.
    """
    with connection.transaction():
        due = _due(connection, now)
        pending = _Facts(connection, now, due, _Routes(tuple(default), fallback, known)).pending()
        tried = [one for one in pending if one.notice.tries and one.routes]
        again = _repeated(connection, tried, due, now)
        decisions = noise.decide([one for one in pending if one not in tried], now)
        for hold in decisions.holds:
            values = [hold.until, hold.why, hold.notice]
            connection.execute("UPDATE notice SET due_at = %s, held = nullif(%s, '') WHERE id = %s", values)
        for drop in decisions.drops:
            connection.execute("UPDATE notice SET dropped = %s WHERE id = %s", [drop.why, drop.notice])
        deliveries = sorted([*again, *decisions.deliveries], key=lambda one: one.notices[0].due_at)
        for delivery in deliveries[:limit]:
            connection.execute(
                "UPDATE notice SET taken_until = %(until)s, tries = %(attempt)s, sent_as = %(what)s, route = %(route)s,"
                " carried_by = CASE WHEN id <> %(id)s THEN %(id)s END WHERE id = ANY (%(notices)s)",
                {
                    "until": now + TAKEN_FOR, "attempt": delivery.attempt, "what": delivery.what, "id": delivery.id,
                    "route": delivery.route, "notices": [notice.id for notice in delivery.notices],
                },
            )  # fmt: skip
    return deliveries[:limit]


def sent(connection: Connection, delivery: Delivery, now: datetime) -> None:
    """Record that a message was sent, and when to say again that its incidents continue."""
    with connection.transaction():
        connection.execute(
            "UPDATE notice SET sent_at = %s, taken_until = NULL, error = NULL WHERE id = ANY (%s) AND sent_at IS NULL",
            [now, [notice.id for notice in delivery.notices]],
        )
        for incident in {incident.id: incident for incident in delivery.incidents}.values():
            connection.execute(
                "INSERT INTO notice (incident, what, created_at, due_at) SELECT id, 'still', %(now)s, %(due_at)s"  # noqa: S608 - our own text
                f"  FROM incident WHERE id = %(id)s AND closed_at IS NULL AND acked_at IS NULL"
                f"   AND NOT EXISTS (SELECT FROM notice WHERE incident = %(id)s AND {IS_PENDING})",
                {"id": incident.id, "now": now, "due_at": noise.next_still(incident.opened_at, now)},
            )


def failed(
    connection: Connection, delivery: Delivery, now: datetime, error: str, *, is_permanent: bool = False
) -> None:
    """Record that a try failed, and when the next one is: with the next route after the last one of this route.

    `is_permanent`: it makes no sense to try this route again.
    """
    turn = (delivery.attempt - 1) % TRIES_PER_ROUTE
    tries = delivery.attempt + (TRIES_PER_ROUTE - 1 - turn if is_permanent else 0)
    pause = timedelta() if is_permanent or turn == len(BACKOFF) else BACKOFF[turn]
    if tries % (TRIES_PER_ROUTE * len(delivery.routes)) == 0:
        pause = ROUND_PAUSE
    connection.execute(
        "UPDATE notice SET taken_until = %s, tries = %s, error = %s WHERE id = ANY (%s) AND sent_at IS NULL",
        [now + pause, tries, error[:MAX_ERROR], [notice.id for notice in delivery.notices]],
    )


class _Due(NamedTuple):
    """A pending notice as the database has it."""

    notice: Notice
    incident: Incident
    leader: UUID
    sent_as: str | None
    options: Mapping[str, Any]
    zone: str
    hosts: Sequence[str]
    opened: Notice | None
    opened_dropped: str
    changes: int
    flapping_since: datetime | None


# Also what is due in a moment, because it may join a message; and never what another sender has taken. A job's options
# are those of the host of its last result, if it still has the job.
_DUE = f"""
WITH due AS MATERIALIZED (
    SELECT * FROM notice WHERE {IS_PENDING} AND {_NEXT_TRY} <= %(now)s + %(grouping)s
     ORDER BY due_at, id LIMIT %(limit)s FOR UPDATE SKIP LOCKED
)
SELECT coalesce(notice.carried_by, notice.id), notice.sent_as, deployed.options, deployed.zone, hosts.names,
       opened.*, coalesce(dropped.dropped, ''), past.changes, past.flapping_since, {NOTICE}, {INCIDENT}
  FROM due AS notice JOIN incident ON incident.id = notice.incident
  LEFT JOIN LATERAL (
      SELECT options, schedule->>'zone' AS zone FROM deployed_job
       WHERE clock = incident.clock AND job = incident.job AND valid_until IS NULL
       ORDER BY (host = incident.run_host) DESC, valid_from DESC LIMIT 1) AS deployed ON true
  LEFT JOIN LATERAL (
      SELECT array_agg(host) AS names FROM deployed_job
       WHERE clock = incident.clock AND job = incident.job AND valid_until IS NULL
         AND incident.host IN ('', host)) AS hosts ON true
  LEFT JOIN LATERAL (
      SELECT {NOTICE} FROM notice WHERE notice.incident = incident.id AND what = 'opened' AND {IS_PENDING}
  ) AS opened ON true
  LEFT JOIN LATERAL (
      SELECT dropped FROM notice WHERE notice.incident = incident.id AND what = 'opened' AND dropped IS NOT NULL
  ) AS dropped ON true
  LEFT JOIN LATERAL (
      SELECT count(*) FILTER (WHERE change.what <> 'still' AND created_at > %(now)s - %(period)s) AS changes,
             max(change.sent_at) FILTER (WHERE sent_as = 'flapping' AND sent_at > %(now)s - %(period)s)
             AS flapping_since
        FROM incident AS same JOIN notice AS change ON change.incident = same.id
       WHERE same.subject = incident.subject AND coalesce(same.closed_at, 'infinity') > %(now)s - 2 * %(period)s
  ) AS past ON true
"""  # noqa: S608 - our own text


def _due(connection: Connection, now: datetime) -> list[_Due]:
    values = {"now": now, "grouping": noise.GROUPING_TIME, "limit": MAX_NOTICES, "period": noise.FLAPPING_PERIOD}
    return [_as_due(row) for row in connection.execute(_DUE, values)]


def _as_due(row: Sequence[Any]) -> _Due:
    leader, sent_as, options, zone, hosts, *rest = row
    count = len(NOTICE.split(","))
    opened, (dropped, changes, flapping_since) = rest[:count], rest[count : count + 3]
    notice, incident = rest[count + 3 : 2 * count + 3], rest[2 * count + 3 :]
    return _Due(
        as_notice(notice), as_incident(incident), leader, sent_as, options or {}, zone or "UTC", hosts or (),
        as_notice(opened) if opened[0] else None, dropped, changes, flapping_since,
    )  # fmt: skip


class _Routes(NamedTuple):
    """The configured routes."""

    default: tuple[str, ...]
    fallback: str
    known: Collection[str] | None

    def of(self, kind: Kind, named: str | Sequence[str] | None) -> tuple[str, ...]:
        """The routes of an incident, in order; `named` by its job: None if it names none, empty if nobody is told."""
        if named is not None and not named:
            return ()
        names = [named] if isinstance(named, str) else named or ()
        of_job = [name for name in names if self.known is None or name in self.known] or self.default
        routes = [self.fallback, *of_job] if kind is Kind.UNSENT else [*of_job, self.fallback]
        return tuple(dict.fromkeys(filter(None, routes)))


class _Facts:
    """What decides about pending notices, beside their own rows: pauses, silent hosts, routes."""

    def __init__(self, connection: Connection, now: datetime, due: Sequence[_Due], routes: _Routes) -> None:
        self.due, self.routes = due, routes
        self.paused: list[Pause] = pauses.active(connection, now) if due else []
        rows = connection.execute(
            "SELECT host, max(coalesce(closed_at, '2199-12-31Z')) FROM incident WHERE kind = 'silent'"
            " AND (closed_at IS NULL OR closed_at > %s) GROUP BY host",
            [now - noise.SILENCE_KNOWN],
        )
        self.silence_ends: dict[str, datetime] = dict(rows.fetchall()) if due else {}

    def pending(self) -> list[noise.Pending]:
        """Each pending notice with all that decides about it."""
        return [self._pending(one) for one in self.due]

    def _pending(self, one: _Due) -> noise.Pending:
        incident = one.incident
        silent = [host for host in one.hosts if host in self.silence_ends]
        is_silent = bool(one.hosts) and len(silent) == len(one.hosts)
        return noise.Pending(
            one.notice,
            incident,
            routes=self.routes.of(incident.kind, one.options.get("notify")),
            quiet=one.options.get("quiet") or "",
            zone=one.zone,
            is_paused=bool(one.hosts) and all(self._is_paused(incident, host) for host in one.hosts),
            silence_ends=max(self.silence_ends[host] for host in silent) if is_silent else None,
            silent_host=silent[0] if is_silent else "",
            opened=one.opened,
            opened_dropped=one.opened_dropped,
            changes=one.changes,
            flapping_since=one.flapping_since,
        )

    def _is_paused(self, incident: Incident, host: str) -> bool:
        return any(pause.covers(incident.clock, incident.job, host) for pause in self.paused)


def _repeated(
    connection: Connection, tried: Iterable[noise.Pending], due: Sequence[_Due], now: datetime
) -> list[Delivery]:
    """Messages that were tried before, with all that they carry, whether or not it was read again."""
    leader_of = {one.notice.id: one for one in due}
    routes = {leader_of[one.notice.id].leader: one.routes for one in tried}
    rows = connection.execute(
        f"SELECT coalesce(carried_by, notice.id), sent_as, {NOTICE}, {INCIDENT} FROM notice"  # noqa: S608 - our own text
        " JOIN incident ON incident.id = notice.incident"
        f" WHERE (notice.id = ANY (%(leaders)s) OR carried_by = ANY (%(leaders)s)) AND {IS_PENDING}"
        f" AND {_NEXT_TRY} <= %(now)s ORDER BY (notice.id = ANY (%(leaders)s)) DESC, due_at, notice.id"
        " FOR UPDATE OF notice",
        {"leaders": list(routes), "now": now},
    ).fetchall()
    members: dict[UUID, list[Sequence[Any]]] = defaultdict(list)
    for leader, *row in rows:
        members[leader].append(row)
    count = len(NOTICE.split(","))
    deliveries = []
    for leader, carried in members.items():
        notices = tuple(as_notice(row[1 : count + 1]) for row in carried)
        incidents = tuple(as_incident(row[count + 1 :]) for row in carried)
        what = What(carried[0][0])
        deliveries.append(Delivery(leader, what, incidents, notices, routes[leader], notices[0].tries + 1))
    return deliveries
