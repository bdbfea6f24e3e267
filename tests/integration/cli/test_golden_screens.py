"""Each case is a folder of tests/golden_screens/ with what a person sees on a terminal of 80 and of 200 columns.

`arguments` has the arguments of `clocks`, `ledger` (if it needs one) the name of a file in ledgers/; `--write-golden`
writes `80.txt` and `200.txt`. The project is the bakery in project/, the time ten past three in Paris.
"""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from rich.cells import cell_len

from tests.integration.cli.on_terminal import marked, on_terminal, plain

if TYPE_CHECKING:
    from tests.integration.operate.shop import Database

SCREENS = Path(__file__).parents[2] / "golden_screens"
# Lines that somebody may copy, with a command in them: only the terminal wraps them, without a line break.
LABEL = 12  # columns before a name that is not cut
COPIED = ("Error: ", "clocks: ", "journalctl ", "OnCalendar=")
CASES = sorted(path.parent.name for path in SCREENS.glob("*/arguments"))


def screen(case: str, columns: int, folder: Path) -> str:
    arguments = shlex.split((SCREENS / case / "arguments").read_text(encoding="utf-8"))
    environment = {"SCHEDULED_TASKS_CONFIG": str(SCREENS / "project/pyproject.toml"), "SUDO_USER": "anna"}
    return on_terminal(arguments, columns, cwd=folder, environment=environment)[1]


@pytest.mark.parametrize("case", CASES)
def test_a_screen_is_as_it_was_kept(
    case: str, connection: Database, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    if (ledger := SCREENS / case / "ledger").exists():
        connection.execute((SCREENS / f"ledgers/{ledger.read_text().strip()}.sql").read_text(encoding="utf-8"))
    for columns in (80, 200):
        shown = screen(case, columns, tmp_path)
        kept = SCREENS / case / f"{columns}.txt"
        if request.config.getoption("--write-golden"):
            kept.write_text(marked(shown), encoding="utf-8")
        assert marked(shown) == kept.read_text(encoding="utf-8")
        for line in plain(shown).splitlines():
            has_long_name = max(map(len, line.split()), default=0) > columns - LABEL
            assert cell_len(line) <= columns or has_long_name or line.startswith(COPIED)
