"""Values in a unit arrive exactly or are rejected: generated values, all through a booted systemd, 252 and 257.

Each value is written by the functions that the templates use; the service writes what it received to a file.
"""

from __future__ import annotations

import random
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st

from scheduled_tasks.options.validators import path as judged_path
from scheduled_tasks.render.escape import (
    UnitText,
    UnwritableValueError,
    command_line,
    directive_value,
    quote_assignment,
    quote_path,
)
from scheduled_tasks.render.host import Host
from tests.machine.rendered import Jobs, write
from tests.machine.waiting import wait_for

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.machine.machine import Machine

pytestmark = pytest.mark.xdist_group("escaping")  # they share one boot of each

CASES = 150
GOT = "/srv/got"
# Its working directory, a variable and its arguments, each terminated by a NUL.
TELL = f"""#!/bin/sh
printf '%s\\0' "$PWD" "$VALUE" "$@" >"{GOT}/$TELL"
"""
HOSTILE = [
    "", " ", "  two  blanks  ", "'", '"', "'\"'", "\\", "\\\\", "ends in \\", "%", "%%", "%n %h %i", "100%", "$", "$$",
    "$HOME", "${HOME}", "$(id)", "`id`", ";", "a;b", "#", "# no comment", "; no comment", "-", "@", ":", "+", "!", "|",
    "{{ jinja }}", "{% if %}", "{# #}", "\\n", "\\x41", "\\u00fc", "\\s", "\n", "a\nb", "a\n[Service]\nUser=root", "\r",
    "\t", "\0", "\x01", "\x1b[31m", "\x7f", "\x85", "\u2028", "\ufeff", "\ufffe", "\ufdd0", "\U0001ffff", "\ud800",
    "ü", "日本", "🕰", "a\u0301", "~", "*", "?", "[a]", "=", "A=b", "a b\\", '"a" "b"', "/", "//", "..", "\xa0",
]  # fmt: skip
ALPHABET = st.one_of(st.sampled_from(HOSTILE), st.text(max_size=12), st.text("\\\"'%$ {}[]#;=-n\n", max_size=12))


def values(number: int = CASES) -> list[str]:
    """The hostile values and generated ones, the same each time."""
    made: list[str] = []

    @seed(252)
    @settings(
        max_examples=number, database=None, deadline=None, phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )  # fmt: skip
    @given(st.lists(ALPHABET, min_size=1, max_size=4).map("".join))
    def make(value: str) -> None:
        made.append(value)

    make()
    return list(dict.fromkeys([*HOSTILE, *made]))


def written(value: str, how: Callable[[str], UnitText]) -> UnitText | None:
    """The value as a unit has it; None if it is rejected."""
    try:
        return how(value)
    except (UnwritableValueError, ValueError):
        return None


@pytest.fixture(scope="module")
def teller(either_machine: Machine) -> Machine:
    write(either_machine, "/usr/local/bin/tell", TELL, mode=0o755)
    either_machine.run("install", "--directory", "--mode=777", GOT)
    return either_machine


def tell(machine: Machine, kind: str, directives: dict[int, str], command: dict[int, str] | None = None) -> None:
    """Run a service for each case, all at once; each writes what it received to the file `<kind><number>`."""
    names = []
    for number, directive in directives.items():
        name = f"{kind}{number}"
        line = (command or {}).get(number, "/usr/local/bin/tell")
        unit = (
            f"[Unit]\nStartLimitIntervalSec=0\n[Service]\nType=exec\nEnvironment=TELL={name}\n{directive}\n"
            f"ExecStart={line}\n"
        )
        write(machine, f"/etc/systemd/system/{name}.service", unit)
        names.append(f"{name}.service")
    random.Random(252).shuffle(names)
    machine.run("systemctl", "daemon-reload")
    machine.run("systemctl", "start", "--wait", *names, check=False, seconds=120)


def got(machine: Machine, name: str) -> list[str]:
    file = machine.root / GOT.lstrip("/") / name
    wait_for(f"the output of {name}", file.exists)
    return [part.decode(errors="surrogateescape") for part in file.read_bytes().split(b"\0")[:-1]]


def test_arguments_arrive_exactly_or_are_rejected(teller: Machine) -> None:
    cases = dict(enumerate(values()))
    lines = {n: written(value, lambda v: command_line("/usr/local/bin/tell", v, "last")) for n, value in cases.items()}
    accepted = {n: line for n, line in lines.items() if line is not None}
    tell(teller, "argument", dict.fromkeys(accepted, ""), dict(accepted))
    assert {n: got(teller, f"argument{n}")[2:] for n in accepted} == {n: [cases[n], "last"] for n in accepted}
    assert_rejected_for_a_reason({cases[n] for n in cases.keys() - accepted.keys()})


def test_variables_arrive_exactly_or_are_rejected(teller: Machine) -> None:
    cases = dict(enumerate(values()))
    lines = {n: written(f"VALUE={value}", quote_assignment) for n, value in cases.items()}
    accepted = {n: f"Environment={line}" for n, line in lines.items() if line is not None}
    tell(teller, "variable", accepted)
    assert {n: got(teller, f"variable{n}")[1] for n in accepted} == {n: cases[n] for n in accepted}
    assert_rejected_for_a_reason({cases[n] for n in cases.keys() - accepted.keys()})


def test_descriptions_arrive_exactly_or_are_rejected(teller: Machine) -> None:
    cases = dict(enumerate(value for value in values() if value))  # systemd replaces an empty one by the unit's name
    lines = {n: written(value, directive_value) for n, value in cases.items()}
    accepted = {n: line for n, line in lines.items() if line is not None}
    for n, line in accepted.items():
        unit = f"[Unit]\nDescription={line}\n[Service]\nExecStart=/bin/true\n"
        write(teller, f"/etc/systemd/system/description{n}.service", unit)
    teller.run("systemctl", "daemon-reload")
    units = [f"description{n}.service" for n in accepted]
    shown = teller.run("systemctl", "show", "--property=Description", *units).stdout
    descriptions = [line.removeprefix("Description=") for line in shown.split("\n") if line]
    assert descriptions == [cases[n] for n in accepted]
    rejected = {cases[n] for n in cases.keys() - accepted.keys()}
    assert_rejected_for_a_reason(
        {value for value in rejected if value == value.strip(" ") and not value.endswith("\\")}
    )


def test_paths_arrive_exactly_or_are_rejected(teller: Machine) -> None:
    cases = dict(enumerate(f"/srv/odd/{value}" for value in values()))
    plain = {n: path for n, path in cases.items() if written(path, lambda p: UnitText(judged_path(p)))}
    lines = {
        n: f"WorkingDirectory={directive_value(path)}\nReadWritePaths={quote_path(path)}" for n, path in plain.items()
    }
    assert len(lines) > 50
    for path in plain.values():
        (teller.root / path.lstrip("/")).mkdir(parents=True, exist_ok=True)
    # Everything else is read-only: it can write only where ReadWritePaths= allows it.
    hardened = {n: f"{line}\nProtectSystem=strict\nReadWritePaths={GOT}" for n, line in lines.items()}
    touch = command_line("/bin/sh", "-ec", "touch written-here; exec /usr/local/bin/tell")
    tell(teller, "path", hardened, dict.fromkeys(hardened, touch))
    assert {n: got(teller, f"path{n}")[0] for n in plain} == plain
    assert [path for path in plain.values() if not (teller.root / path.lstrip("/") / "written-here").exists()] == []


# Each part would break a unit's line in its own way.
ODD = "/srv/two words/100%n/$HOME/a:b/back\\slash/ü"
QUOTED = f"{ODD}/\"quoted\" and 'single'.toml"  # rejected in the path of a release
KEYS = "/srv/100%n/$HOME/a:b/\"quoted\"/'single'/ü"  # so are blanks and backslashes in that of credentials


def test_a_hosts_paths_arrive_exactly(teller: Machine, tmp_path: Path) -> None:
    odd = Host(
        run_task=f"{ODD}/current/bin/run-task", configuration=Path(QUOTED), release=f"{ODD}/release 1",
        credentials=("key",), credentials_folder=KEYS,
    )  # fmt: skip
    jobs = Jobs("odd", f'read_write_paths=["{GOT}"], concurrency=1')
    jobs.add("host", "true")
    received = '"$SCHEDULED_TASKS_CONFIG" "$0" "$(cat "$CREDENTIALS_DIRECTORY/key")"'
    script = f"#!/bin/sh\nprintf '%s\\0' {received} >{GOT}/host\n"
    write(teller, f"{ODD}/release 1/bin/run-task", script, mode=0o755)
    write(teller, f"{KEYS}/key", "a secret")
    write(teller, f"{ODD}/current/nothing", "")
    jobs.put_on(teller, tmp_path, odd)
    teller.run("systemctl", "start", "--wait", jobs.service("host"))
    assert got(teller, "host") == [QUOTED, f"{ODD}/current/bin/run-task", "a secret"]


def assert_rejected_for_a_reason(rejected: set[str]) -> None:
    """Only control characters, surrogates and noncharacters are rejected."""

    def has_reason(value: str) -> bool:
        return any(
            ord(character) < 0x20 or character == "\x7f" or 0xD800 <= ord(character) <= 0xDFFF
            or 0xFDD0 <= ord(character) <= 0xFDEF or ord(character) & 0xFFFE == 0xFFFE
            for character in value
        )  # fmt: skip

    assert [value for value in rejected if not has_reason(value)] == []
