"""run-task --probe: do what every job does before its task runs, without a run: read settings, import, connect.

`clocks check`, `plan` and `apply` start it inside the sandbox that jobs will have (deploy/sandboxes/). Its answer is
one JSON line on standard output. It claims no slot, and writes nothing to the database or to the disk.
"""

from __future__ import annotations

import json
import os
from contextlib import suppress
from typing import TYPE_CHECKING

from scheduled_tasks.errors import ConfigurationError, ScheduledTasksError

if TYPE_CHECKING:
    from collections.abc import Iterable

STEPS = ("settings", "imports", "database")


def probe(tasks: Iterable[str]) -> dict[str, str]:
    """Try each step; stop at the first that fails.

    Args:
        tasks: names of tasks whose modules are imported.

    Returns:
        `failed`, the step, `problem`, the reason, and `addresses`, those that PostgreSQL may have; or `address`, that
        of PostgreSQL ("" for a Unix socket), and `role`, the one that logged in.
    """
    done, url = 0, ""
    try:
        from scheduled_tasks.run import database, settings
        from scheduled_tasks.run.context import application_factory
        from scheduled_tasks.run.find_task import find_task

        configuration = settings.load()
        configuration.make_importable()
        url = settings.setting("database_url", "")
        done = 1
        factory = application_factory(configuration.get("app"))
        for task in tasks:
            find_task(task, configuration.require("domains"), factory)
        done = 2
        with database.connect(_required(url), name="run-task --probe") as connection:
            [(role,)] = connection.execute("SELECT session_user::text").fetchall()
            address = connection.info.hostaddr if not connection.info.host.startswith("/") else ""
            return {"address": address, "role": role}
    except ScheduledTasksError as error:
        problem = str(error)
    except Exception as error:  # noqa: BLE001 - whatever a project's module raises is the answer
        problem = f"{type(error).__name__}: {error}"
    return {"failed": STEPS[done], "problem": problem, "addresses": " ".join(_addresses(url))}


def _required(url: str) -> str:
    """The configured URL; outside of a service, a run of an undeployed project would set up its own database."""
    if not url:
        raise ConfigurationError("no database is configured")
    return url


def _addresses(url: str) -> list[str]:
    """The addresses of a database's hosts, as far as they can be resolved here."""
    import socket

    from psycopg import ProgrammingError
    from psycopg.conninfo import conninfo_to_dict

    try:
        values = conninfo_to_dict(url)
    except ProgrammingError:
        return []
    addresses: dict[str, None] = {}
    for host in str(values.get("hostaddr") or values.get("host") or "").split(","):
        if host and not host.startswith("/"):
            with suppress(OSError):
                addresses |= {str(found[4][0]): None for found in socket.getaddrinfo(host, None)}
    return list(addresses)


def main(tasks: Iterable[str]) -> int:
    """Print the answer as the only line of standard output; what imports print goes to standard error."""
    answer_file = os.dup(1)
    os.dup2(2, 1)
    answer = json.dumps(probe(tasks))
    os.write(answer_file, f"{answer}\n".encode())
    return 0
