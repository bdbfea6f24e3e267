"""What the benchmarks of other dashboards share: their arguments, and the server that is measured."""

from __future__ import annotations

import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.screens import wait_for

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence


def arguments() -> tuple[Path, float, int]:
    """FOLDER [MILLIONS] [JOBS] of the command line; without them 10 million rows and 10,000 jobs."""
    folder, *numbers = sys.argv[1:]
    millions, jobs = (*numbers, *("10", "10000")[len(numbers) :])
    return Path(folder).resolve(), float(millions), int(jobs)


@contextmanager
def running(
    command: Sequence[str | Path], folder: Path, environment: Mapping[str, str], port: int, path: str
) -> Iterator[str]:
    """A server that listens on a port, until the end of the block; its URL, once it answers at a path."""
    with subprocess.Popen(command, cwd=folder, env=environment) as process:
        try:
            yield wait_for(f"http://127.0.0.1:{port}", path)
        finally:
            process.terminate()
