"""Most commands need no database, no templates and no tables: starting `clocks` imports none of what those need."""

from __future__ import annotations

import subprocess
import sys

HEAVY = ("psycopg", "jinja2", "rich", "watchfiles", "scheduled_tasks.importers", "scheduled_tasks.exporters")


def test_starting_clocks_imports_only_what_all_commands_need() -> None:
    code = f"import sys, scheduled_tasks.cli; print([name for name in {HEAVY!r} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
