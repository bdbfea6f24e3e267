"""The tasks of a hostile project: each does one of the faults in faults.py, with all that a job is allowed to do.

The suite copies this module into the machine's project.
"""

from __future__ import annotations

import atexit
import copy
import fcntl
import json
import logging
import os
import signal
import socket
import threading
import time
from contextlib import closing, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import psycopg

from scheduled_tasks.run import current, record, spool
from scheduled_tasks.run.database import database_url
from scheduled_tasks.run.status import RunStatus

if TYPE_CHECKING:
    from collections.abc import Callable

logger = logging.getLogger("hostile")

TIMEOUT = 300  # seconds that a task waits for another; the machine may be busy
held: list[object] = []  # kept until the process ends


def connect() -> psycopg.Connection[Any]:
    """A connection of this job's role."""
    connection = psycopg.connect(database_url(), autocommit=True)
    held.append(connection)
    return connection


def sql(statement: str, *values: str) -> None:
    """Execute a statement with the role's own privileges."""
    connect().execute(statement.encode(), values)


def leave(what: str) -> None:
    """Insert a row, which tells the suite and other tasks how far this one is."""
    with closing(psycopg.connect(database_url(), autocommit=True)) as connection:
        connection.execute("INSERT INTO effect (what) VALUES (%s)", [what])


def wait_for(what: str) -> None:
    """Wait for such a row."""
    with closing(psycopg.connect(database_url(), autocommit=True)) as connection:
        deadline = time.monotonic() + TIMEOUT
        while not connection.execute("SELECT FROM effect WHERE what = %s", [what]).rowcount:
            if time.monotonic() > deadline:
                raise TimeoutError(f"waited for {what}")
            time.sleep(0.2)


# An honest job, and one that lasts until the killer has struck.


def honest() -> None:
    """Does its work."""
    leave("honest")


def victim() -> None:
    """Works while another job tries to kill it."""
    leave("the victim runs")
    wait_for("the killer has struck")


# A. One task must not stop the account: what it leaves on disk.


def spooled(**changes: object) -> Path:
    """A result as a run leaves it while PostgreSQL is unreachable, with some of its values changed."""
    assert current.current
    run = copy.copy(current.current)
    run.run_id = str(uuid4())
    result = record.Result(
        run_id=run.run_id, attempt=1, status=RunStatus.ENDED, exit_code=0, duration=1.0, reason=None,
        error_type=None, error_message=None, memory_peak=None, cpu_seconds=None,
    )  # fmt: skip
    assert spool.keep(run, result)
    [path] = folder().glob(f"{run.run_id}*.json")
    path.write_text(json.dumps(json.loads(path.read_text()) | {"is_open": False} | changes))
    return path


def folder() -> Path:
    """The job's results folder."""
    [path] = [path for path in os.environ["STATE_DIRECTORY"].split(":") if "/results/" in path]
    return Path(path)


def sticky() -> None:
    """Keeps others from removing a result."""
    spooled()
    folder().chmod(0o1755)


def lease() -> None:
    """Holds a lease on a result until somebody opens it."""
    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGIO])
    file = spooled().open("r+")
    fcntl.fcntl(file, fcntl.F_SETLEASE, fcntl.F_WRLCK)
    leave("the lease is held")
    if signal.sigtimedwait([signal.SIGIO], TIMEOUT) is None:
        raise TimeoutError("nobody opened the result")


FORGED: tuple[dict[str, object], ...] = (
    {"scheduled_at": "infinity"},
    {"started_at": "-infinity"},
    {"scheduled_at": "2031-01-01T00:00:00Z"},
    {"scheduled_at": "0044-03-15T12:00:00 BC"},
    {"clock": "honest", "job": "tick"},
    {"duration": "a while"},
    {"duration": -1e308},
    {"duration": "NaN"},
    {"exit_code": {"a": ["b"]}},
    {"attempt": 2**70},
    {"status": "splendid"},
    {"run_id": "1; DROP TABLE task_run"},
    {"slot_host": "other", "host": "other"},
    {"error_message": "nul \x00, and a surrogate \ud800"},
    {"error_message": "x" * 200_000},
)


def forges() -> None:
    """Leaves results with values that no run has."""
    for changes in FORGED:
        spooled(**changes)
    for text in ("", "[" * 100_000, "null", "[]", "{}", '"x"', "\ufeff{}"):
        spooled().write_text(text)
    spooled().write_bytes(b"\xff\xfe\x00")


def litters() -> None:
    """Leaves what isn't a file of results."""
    here = folder()
    os.mkfifo(here / "fifo.json")
    (here / "link.json").symlink_to("/etc/scheduled-tasks/credentials/operators_database_url")
    (here / "dangling.json").symlink_to("/nowhere")
    (here / "folder.json").mkdir()
    (here / "folder.json/full").touch()
    (here / ("n" * 250 + ".json")).write_text("{}")
    (here / "new\nline \x1b[31m.json").write_text("{}")
    unreadable = spooled()
    unreadable.chmod(0)


# A. One task must not stop the account: what it does to the database.


def takes_connections() -> None:
    """Opens connections until it is refused one."""
    for _ in range(1000):
        connect()


def stays_in_a_transaction() -> None:
    """Holds what locks a task can get."""
    connection = psycopg.connect(database_url())
    held.append(connection)
    connection.execute("SELECT * FROM feature")
    connection.execute("SELECT pg_advisory_lock(key) FROM generate_series(0, 1000) AS key")
    leave("the locks are held")
    wait_for("the watch has looked at the locks")


def attempt(asked: dict[str, object]) -> None:
    """Claim a slot as run-task does, with any values."""
    run = current.current
    assert run
    values: dict[str, object] = {
        "run_id": str(uuid4()), "task": run.task, "clock": run.clock, "job": run.job, "slot_host": "",
        "host": run.host, "trigger": "timer", "attempt": 1, "lag": 0, "age": 0, "expires_in": 60,
        "is_idempotent": False, "is_exclusive": False,
    }  # fmt: skip
    sql("SELECT * FROM open_run(%s::jsonb, NULL)", json.dumps(values | asked))


def writes_megabytes() -> None:
    """Claims a slot with a text that fills the disk."""
    attempt({"scheduled_at": "2026-01-01Z", "task": "x" * 20_000_000})


# B. Secrets.

SECRETS = (
    "postgresql://robot:hunter2-a@db/shop",
    "https://robot:p@ss@hunter2-b@example.org/x",
    "https://hunter2-c@example.org/x",
    "password=hunter2-d",
    "AWS_SECRET_ACCESS_KEY=hunter2-e",
    "Authorization: Bearer hunter2-f",
    "passphrase: hunter2-g",
    "https://example.org/blob?sv=1&sig=hunter2-h",
)


def quotes_secrets() -> None:
    """Raises what libraries raise."""
    logger.warning("next: %s", SECRETS[0])
    raise OSError("can't reach " + ", ".join(SECRETS))


def sends_escapes() -> None:
    """Raises what a terminal would obey."""
    raise RuntimeError("\x1b]0;owned\x07\x1b[31mred\x1b[2J\x9b31m")


# C. How it ends.


def leaves_a_thread() -> None:
    """Ends, but for a thread."""
    threading.Thread(target=time.sleep, args=[6000]).start()


def exits_at_exit() -> None:
    """Ends, and then doesn't."""
    atexit.register(os._exit, 3)


def exits_well() -> None:
    """Ends so that nothing can record it."""
    os._exit(0)


def exits_badly() -> None:
    """Fails so that nothing can record it."""
    os._exit(3)


def stops_itself() -> None:
    """Is stopped, and never continued."""
    os.kill(os.getpid(), signal.SIGSTOP)


def floods() -> None:
    """Logs more than journald takes."""
    for number in range(20_000):
        logger.info("line %s", number)


def kills_all() -> None:
    """Kills every process that it can, once there is one to kill."""
    wait_for("the victim runs")
    strikes()
    leave("the killer has struck")


def strikes() -> None:
    """Kills every process that it can."""
    with suppress(ProcessLookupError):
        os.kill(-1, signal.SIGKILL)


def reaches_out(address: str) -> None:
    """Sends to an address that its job does not allow."""
    # By UDP: for TCP the kernel drops the packets of the handshake, as a network would, until a timeout.
    socket.socket(type=socket.SOCK_DGRAM).sendto(b"anything", (address, 9))


def peeks() -> None:
    """Looks for other jobs' processes and credentials, and finds none."""
    wait_for("the victim runs")
    seen = [int(path.name) for path in Path("/proc").glob("[0-9]*")]
    environments = [Path(f"/proc/{pid}/environ") for pid in seen if pid != os.getpid()]
    owned = [str(path) for path in environments if _can(path.read_bytes)]
    folders = (Path("/run/credentials"), Path("/run/scheduled-tasks"), Path(os.environ["CREDENTIALS_DIRECTORY"]))
    credentials = [str(path) for folder in folders for path in folder.glob("**/*") if _can(path.read_bytes)]
    others = [path for path in credentials if not path.startswith(os.environ["CREDENTIALS_DIRECTORY"])]
    operators = [path for path in credentials if "operators" in path]
    config = Path("/etc/scheduled-tasks/credentials/operators_database_url")
    if owned or others or operators or _can(config.read_bytes):
        raise AssertionError(f"processes {owned}, credentials {credentials}")


def _can(read: Callable[[], object]) -> bool:
    try:
        read()
    except OSError:
        return False
    return True
