"""Live: one query per process asks whether anything has changed, and every open browser is told (server-sent events).

No NOTIFY: each commit that notifies takes a lock of the whole server, and hundreds of runs start in one second. The
query walks indexes and takes milliseconds; without an open browser nothing is asked. A browser says which state it
shows, so that it also hears of what changed before its stream began, or while it was interrupted.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from starlette.concurrency import run_in_threadpool
from starlette.responses import StreamingResponse

from scheduled_tasks.errors import ScheduledTasksError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from starlette.requests import Request

    from scheduled_tasks.page.pool import Database
    from scheduled_tasks.run.database import Connection

INTERVAL = 2.0  # seconds between two questions
PING = 15.0  # seconds after which a stream says that it lives, so that no proxy ends it

# What a reader of a screen would see change: the last start, what runs, what is bad, and what people did.
_STATE = """
SELECT md5(concat_ws(' ',
    (SELECT max(started_at) FROM task_run WHERE started_at <= clock_timestamp()),
    (SELECT string_agg(run_id::text, ' ' ORDER BY expires_at) FROM (
        SELECT run_id, expires_at FROM task_run WHERE status = 'started' ORDER BY expires_at LIMIT 200) AS running),
    (SELECT max(started_at) FROM task_run WHERE status = 'failed'),
    (SELECT max(started_at) FROM task_run WHERE status = 'missed'),
    (SELECT string_agg(concat_ws(' ', id, bad, acked_at, snoozed_until), ' ' ORDER BY id) FROM incident
      WHERE closed_at IS NULL),
    (SELECT string_agg(id::text, ' ' ORDER BY id) FROM pause
      WHERE resumed_at IS NULL AND (until IS NULL OR until > clock_timestamp())),
    (SELECT max(id) FROM feature_change),
    (SELECT string_agg(concat_ws(' ', id, taken_by, outcome), ' ') FROM (
        SELECT id, taken_by, outcome FROM request ORDER BY asked_at DESC LIMIT 20) AS asked),
    (SELECT string_agg(name, ' ' ORDER BY name) FROM host
      WHERE heartbeat_at > clock_timestamp() - interval '5 minutes')))
"""


def state_of(connection: Connection) -> str:
    """The present state of the ledger in one word."""
    [(state,)] = connection.execute(_STATE).fetchall()
    return str(state)


class Live:
    """The poll of a process, and the streams that hear of it."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._streams: set[asyncio.Event] = set()
        self._poll: asyncio.Task[None] | None = None
        self._state: str | None = None  # "" while the ledger does not answer; None before the first answer

    async def stream(self, request: Request) -> StreamingResponse:
        """A browser's stream: an event whenever the state is another than the one that it shows.

        It says that one in the address, and after an interruption, as the last event's ID. Without one it is the first.
        """
        shown = request.headers.get("last-event-id") or request.query_params.get("state")
        return StreamingResponse(
            self._events(request, shown), media_type="text/event-stream", headers={"Cache-Control": "no-store"}
        )

    async def _events(self, request: Request, shown: str | None) -> AsyncIterator[bytes]:
        asked = asyncio.Event()
        self._streams.add(asked)
        if self._poll is None or self._poll.done():
            self._poll = asyncio.create_task(self._ask_again())
        try:
            yield b"retry: 3000\n\n"
            while not await request.is_disconnected():
                if shown is not None and self._state not in {shown, None}:
                    yield f"event: changed\nid: {self._state}\ndata: ledger\n\n".encode()
                shown = shown if self._state is None else self._state
                try:
                    await asyncio.wait_for(asked.wait(), PING)
                except TimeoutError:
                    yield b": alive\n\n"
                asked.clear()
        finally:
            self._streams.discard(asked)

    async def _ask_again(self) -> None:
        """Ask until no browser listens."""
        self._state = None
        while self._streams:
            state = await run_in_threadpool(self._ask)
            if state != self._state:
                self._state = state
                for asked in self._streams:
                    asked.set()
            await asyncio.sleep(INTERVAL)

    def _ask(self) -> str:
        """The present state of the ledger; "" while it does not answer."""
        try:
            with self._database.reading() as connection:
                return state_of(connection)
        except ScheduledTasksError:
            return ""

    def stop(self) -> None:
        """End the poll, with the process."""
        if self._poll:
            self._poll.cancel()
