"""Time the page's first answer: from a connection to systemd's socket, with no process behind it, to the answer's end.

    python -m benchmarks.activation

The page is the deployed one's command, started by systemd-socket-activate(1), over the sample ledger. Printed are the
least and the median of nine, the next answer on the same connection, and the memory of the process (Pss).
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
import time
from http import HTTPStatus
from pathlib import Path
from statistics import median

from scheduled_tasks.page import demo
from tests.own_postgresql import own_server
from tests.unix_http import UnixConnection

ROUNDS = 9
CONFIGURATION = 'domains = "shop.tasks"\nclocks = "shop.clocks"\n[page]\n'


def main() -> None:
    """Print the figures."""
    with tempfile.TemporaryDirectory() as folder, own_server() as server:
        url = demo.make(server.url)
        rounds = [_round(Path(folder), url) for _ in range(ROUNDS)]
    for name, values in zip(("first answer", "next answer", "memory"), zip(*rounds, strict=True), strict=True):
        unit, factor = ("MB", 1.0) if name == "memory" else ("ms", 1000.0)
        print(f"{name:13} least {min(values) * factor:5.0f} {unit}, median {median(values) * factor:5.0f} {unit}")


def _round(folder: Path, url: str) -> tuple[float, float, float]:
    """The seconds to the first and to the next answer, and the megabytes of the process."""
    (folder / "config.toml").write_text(CONFIGURATION)
    path = folder / "page.sock"
    path.unlink(missing_ok=True)
    environment = {"SCHEDULED_TASKS_CONFIG": f"{folder}/config.toml", "PAGE_DATABASE_URL": url}
    command = ["systemd-socket-activate", f"--listen={path}", *(f"--setenv={name}" for name in environment)]
    clocks = [sys.executable, "-m", "scheduled_tasks.cli", "page", "--socket", "systemd"]
    page = subprocess.Popen([*command, *clocks], env=os.environ | environment, stderr=subprocess.DEVNULL)
    try:
        while not path.exists():
            time.sleep(0.01)
        connection = UnixConnection(path)
        return _ask(connection), _ask(connection), _pss(page.pid)
    finally:
        page.terminate()
        page.wait()


def _ask(connection: UnixConnection) -> float:
    began = time.monotonic()
    connection.request("GET", "/")
    answer = connection.getresponse()
    answer.read()
    assert answer.status == HTTPStatus.OK, answer.status
    return time.monotonic() - began


def _pss(pid: int) -> float:
    match = re.search(r"^Pss:\s+(\d+) kB", Path(f"/proc/{pid}/smaps_rollup").read_text(), re.MULTILINE)
    assert match
    return int(match[1]) / 1024


if __name__ == "__main__":
    main()
