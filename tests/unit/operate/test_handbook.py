"""The handbook's table is the one of operate/on_call/handbook.py, and each bad run finds its row there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from scheduled_tasks.operate.on_call import handbook
from scheduled_tasks.operate.on_call.handbook import Failed

PAGE = Path(__file__).parents[3] / "docs/how-to/operate.md"
TABLE = re.compile(r"^\| you see \|.*?\n(?=\n)", re.MULTILINE | re.DOTALL)


def test_the_page_has_the_table(request: pytest.FixtureRequest) -> None:
    page = PAGE.read_text(encoding="utf-8")
    [table] = TABLE.findall(page)
    if request.config.getoption("--write-golden"):
        PAGE.write_text(page.replace(table, handbook.markdown()), encoding="utf-8")
        table = handbook.markdown()
    assert table == handbook.markdown()


@pytest.mark.parametrize(
    ("failed", "sees"),
    [
        (Failed("missed"), "`missed`"),
        (Failed("lost", 1, "OSError", "No space left on device"), "`lost`"),
        (Failed("failed", 1, "ValueError", "no such offer"), "exit code 1 in its last line"),
        (Failed("failed", None, "ValueError"), "exit code 1 in its last line"),
        (Failed("failed", 1, "OSError", "[Errno 28] No space left on device"), "`No space left on device`"),
        (
            Failed("failed", 1, "OSError", "x; likely the sandbox, ProtectHome=: y"),
            "`likely the sandbox, …` in its reason",
        ),
        (Failed("failed", 64, "UnknownTaskError"), "exit code 64"),
        (Failed("failed", 69, "exit-code"), "`failed`, `signal` or `exec` in its row"),
        (Failed("failed", 75, "ServiceUnavailableError"), "exit code 75"),
        (Failed("failed", 75, "CommandFailedError"), "a line with another exit code"),
        (Failed("failed", 5, "CommandFailedError"), "a line with another exit code"),
        (Failed("failed", 78, "ConfigurationError"), "exit code 78"),
        (Failed("failed", 143, "Stopped"), "exit code 143, or `stopped by SIGTERM`"),
        (Failed("failed", 143, "timeout"), "exit code 143, or `stopped by SIGTERM`"),
        (Failed("failed", 9, "signal"), "`failed`, `signal` or `exec` in its row"),
        (Failed("failed", 203, "exec"), "`failed`, `signal` or `exec` in its row"),
        (Failed("failed", None, "oom-kill"), "exit code 137, `oom-kill`"),
        (Failed("failed", 137, "SomethingElse"), "exit code 137, `oom-kill`"),
    ],
)
def test_a_bad_run_has_a_row(failed: Failed, sees: str) -> None:
    assert handbook.of_run(failed).sees == sees


def test_placeholders_get_names_and_links_become_text() -> None:
    text = "see [the page](x.md); `clocks run CLOCK/JOB --at SLOT`; `journalctl -u UNIT`; CLOCKS stays"
    names = {"CLOCK": "shop", "JOB": "sell", "SLOT": "2026-11-24T06:00:00Z"}
    placed = handbook.placed(text, names)
    assert (
        placed == "see the page; `clocks run shop/sell --at 2026-11-24T06:00:00Z`; `journalctl -u UNIT`; CLOCKS stays"
    )
    assert handbook.commands(placed) == ["clocks run shop/sell --at 2026-11-24T06:00:00Z", "journalctl -u UNIT"]


def test_the_steps_of_a_text_keep_a_command_whole() -> None:
    text = "mend the database; then `clocks show RUN; clocks logs`, and call its owner; `df -h`"
    assert handbook.steps(text) == [
        "mend the database",
        "then `clocks show RUN; clocks logs`, and call its owner",
        "`df -h`",
    ]
