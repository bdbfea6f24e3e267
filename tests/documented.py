"""The fenced blocks of the README and of docs/, each with the test that runs its commands.

A block of commands is fenced as `console`; each command follows `$ `, its output is below it. A word after `console`
names the block's runner if it isn't the page's. test_documented.py checks that no other block has commands.
"""

from __future__ import annotations

import re
import shlex
import subprocess
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
# The README, and each page by its path below docs/.
PAGES = {"README.md": (ROOT / "README.md").read_text(encoding="utf-8")} | {
    str(path.relative_to(DOCS)): path.read_text(encoding="utf-8")
    for path in sorted(DOCS.rglob("*.md"))
    if path.parent.name != "decisions"
}
# Runner → the module that runs its commands.
RUNNERS = {
    "clone": "tests/integration/test_documentation.py",  # in a clone of the repository
    "guide": "tests/integration/test_guides.py",  # in a stranger's project, with an installed wheel
    "promtool": "tests/integration/metrics/test_guide.py",  # in this checkout, with Debian's promtool
    "controller": "tests/integration/test_controller.py",  # where Ansible is called
    "plays": "tests/machine/controller.py",  # the same, with machines, for tests/machine/deployments
    "machine": "tests/machine/alarms/test_1_commands.py",  # on a booted machine, as root
    "told": "tests/machine/test_told.py",  # on a booted machine with routes, as root
    "newcomer": "tests/machine/test_newcomer.py",  # at a terminal, with the page's other blocks
    "outside": "tests/machine/test_outside.py",  # on a booted machine, with a Healthchecks
    "plugin": "tests/integration/operate/test_status_check_callers.py",  # in a shop with two bad jobs
    "deployed": "tests/machine/test_deploy.py",  # on a machine that the worked example is deployed to
}
# The default runner of a page's blocks.
PAGES_RUN_BY = {
    "README.md": "clone",
    "how-to/alert-with-prometheus.md": "clone",
    "how-to/deploy.md": "controller",
    "how-to/operate.md": "machine",
    "how-to/pause-and-run.md": "deployed",
    "how-to/monitor-from-outside.md": "outside",
    "how-to/kubernetes.md": "clone",
    "how-to/check-with-a-plugin.md": "plugin",
    "how-to/migrate.md": "guide",
    "explanation/runs.md": "clone",
    "explanation/time.md": "clone",
    "tutorial.md": "guide",
}
FENCE = re.compile(r"^```([^\n]*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True)
class Block:
    """A fenced block: its page, its language, its runner ("" if nothing runs it), and its text."""

    page: str
    language: str
    runner: str
    text: str

    @property
    def steps(self) -> list[tuple[str, str]]:
        """The commands, each with the output that the page shows."""
        parts = re.split(r"^\$ ", self.text, flags=re.MULTILINE)[1:]
        steps = []
        for part in parts:
            command, output = re.fullmatch(r"((?:[^\n]*\\\n)*[^\n]*)\n?(.*)", part, re.DOTALL).groups()  # type: ignore[union-attr] # it matches any text
            steps.append((command, output))
        return steps


def blocks(page: str, runner: str = "") -> list[Block]:
    """The blocks of a page in their order: all, or those of a runner."""
    on_page = []
    for info, text in FENCE.findall(PAGES[page]):
        language, _, named = info.partition(" ")
        by = named or PAGES_RUN_BY.get(page, "") if language == "console" else ""
        on_page.append(Block(page, language, by, text))
    return [block for block in on_page if runner in {"", block.runner}]


def commands(page: str, runner: str) -> list[str]:
    """The commands of a page that a runner runs, in their order."""
    return [command for block in blocks(page, runner) for command, _ in block.steps]


def command(page: str, runner: str, *words: str) -> list[str]:
    """The arguments of the shortest of these commands that has all the given words."""
    split = [shlex.split(line.replace("\\\n", " ")) for line in commands(page, runner)]
    return min((arguments for arguments in split if {*words} <= {*arguments}), key=len)


def run_shown(command: str, *, cwd: Path, own: Path) -> subprocess.CompletedProcess[str]:
    """Run a command as a page shows it, with a folder of the test's own in place of /tmp; the output names /tmp."""
    own_command = command.replace("/tmp/", f"{own}/")
    done = subprocess.run(own_command, shell=True, cwd=cwd, capture_output=True, text=True, check=False)
    done.stdout = done.stdout.replace(str(own), "/tmp")
    return done


def table(page: str, first_column: str) -> dict[str, list[str]]:
    """The rows of a page's table whose first column has this heading, by their first cell."""
    rows = {}
    body = PAGES[page].partition(f"\n| {first_column} |")[2].split("\n\n")[0]
    for line in body.splitlines()[2:]:
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        rows[cells[0].strip("`")] = cells[1:]
    return rows
