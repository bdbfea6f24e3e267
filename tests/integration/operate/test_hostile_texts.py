"""What a task can write into the ledger acts on no operator's terminal, and makes no row or line of its own."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from tests.integration.operate.shop import clocks, ran

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from tests.integration.operate.shop import Database

ACTIVE = "\x1b[2J\x1b]0;title\x07\r\x9b1A\u202eok\nstatus         ended\n"
HARMFUL = set("\x1b\x07\r\x9b\u202e")
COLUMNS = {
    "a failure": ("failed", {"error_type": "Error", "error_message": ACTIVE}),
    "a reason": ("skipped", {"reason": ACTIVE}),
    "a type": ("failed", {"error_type": ACTIVE, "error_message": ACTIVE}),
}


def every_text(value: object) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, list | dict):
        for inner in value.values() if isinstance(value, dict) else value:
            yield from every_text(inner)


@pytest.mark.parametrize("became", COLUMNS)
@pytest.mark.parametrize("command", ["status", "history", "show"])
def test_a_text_of_a_task_is_shown_escaped(connection: Database, hour: datetime, command: str, became: str) -> None:
    status, columns = COLUMNS[became]
    ran(connection, "count", hour, status, **columns)
    [(run,)] = connection.execute("SELECT run_id::text FROM task_run WHERE job = 'count'").fetchall()
    which = run if command == "show" else "shop/count"
    plain = clocks(command, which)
    assert not HARMFUL & set(plain.output)
    assert r"\u001b[2J" in plain.output
    assert not [line for line in plain.output.splitlines() if line.split() == ["status", "ended"] and line[0] != " "]
    texts = list(every_text(json.loads(clocks(command, which, "--json").stdout)))
    assert [text for text in texts if ACTIVE.partition("\n")[0] in text]  # a program gets it as it was written


def test_a_reason_of_an_operator_is_shown_escaped(connection: Database, hour: datetime) -> None:
    del hour
    connection.execute(
        "INSERT INTO pause (clock, job, paused_by, reason) VALUES ('shop', 'count', %s, %s)", [ACTIVE, ACTIVE]
    )
    output = clocks("status").output
    assert not HARMFUL & set(output)
    assert r"\u001b[2J" in output
