"""Live: one query per process asks whether anything has changed, and every open browser is told (server-sent events).

No NOTIFY: each commit that notifies takes a lock of the whole server, and hundreds of runs start in one second. The
query walks indexes and takes milliseconds; without an open browser nothing is asked.
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


class Live:
    """The poll of a process, and the streams that hear of it."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._streams: set[asyncio.Event] = set()
        self._poll: asyncio.Task[None] | None = None

    async def stream(self, request: Request) -> StreamingResponse:
        """A browser's stream: an event whenever something has changed."""
        return StreamingResponse(
            self._events(request), media_type="text/event-stream", headers={"Cache-Control": "no-store"}
        )

    async def _events(self, request: Request) -> AsyncIterator[bytes]:
        changed = asyncio.Event()
        self._streams.add(changed)
        if self._poll is None or self._poll.done():
            self._poll = asyncio.create_task(self._ask_again(await run_in_threadpool(self._state)))
        try:
            yield b"retry: 3000\n\n"
            while not await request.is_disconnected():
                try:
                    await asyncio.wait_for(changed.wait(), PING)
                except TimeoutError:
                    yield b": alive\n\n"
                else:
                    changed.clear()
                    yield b"event: changed\ndata: ledger\n\n"
        finally:
            self._streams.discard(changed)

    async def _ask_again(self, state: str) -> None:
        """Ask until no browser listens."""
        while self._streams:
            await asyncio.sleep(INTERVAL)
            now = await run_in_threadpool(self._state)
            if now != state:
                state = now
                for changed in self._streams:
                    changed.set()

    def _state(self) -> str:
        """The present state of the ledger in one word; "" while it does not answer."""
        try:
            with self._database.reading() as connection:
                [(state,)] = connection.execute(_STATE).fetchall()
                return str(state)
        except ScheduledTasksError:
            return ""

    def stop(self) -> None:
        """End the poll, with the process."""
        if self._poll:
            self._poll.cancel()
