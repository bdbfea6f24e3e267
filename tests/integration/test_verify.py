"""What systemd-analyze is given to read of a set, and that it finds every fault there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from scheduled_tasks.deploy.analyze import FEW_JOBS, UnsoundUnitError, verify
from scheduled_tasks.deploy.effects import Effects
from scheduled_tasks.deploy.machine_state import read_set
from scheduled_tasks.deploy.remembered.judgement import _circumstances, _drop_ins, _is_sound, judge, remember
from scheduled_tasks.render import names
from scheduled_tasks.render.names import Places
from scheduled_tasks.render.unit_set import UnitSet

GOLDEN = Path(__file__).parents[1] / "golden"
JOBS = tuple("abcdefghijklmnopqrstuvwxyz")  # more than those that one call reads as few


def a_set() -> UnitSet:
    """A clock with 26 jobs that differ only in what they run."""
    golden = read_set(GOLDEN / "limits/expected")
    general = {path: text for path, text in golden.items() if "inherits_all" not in path and "has_its_own" not in path}
    general["clock-limits.target"] = re.sub(
        r"Wants=.*", "Wants=" + " ".join(names.timer_name("limits", job) for job in JOBS), golden["clock-limits.target"]
    )
    command = re.compile(r"(?m)^ExecStart=.*$")
    for job in JOBS:
        service, timer = (golden[f"clock-limits-inherits_all.{kind}"] for kind in ("service", "timer"))
        general[names.service_name("limits", job)] = command.sub(f"ExecStart=/bin/true {job}", service)
        general[names.timer_name("limits", job)] = timer
    return UnitSet({path: text for path, text in general.items() if path != names.JOBS})


def complaints(units: UnitSet, sound: UnitSet) -> str:
    """What systemd says of a set."""
    try:
        verify(units, Places(), sound)
    except UnsoundUnitError as error:
        return str(error)
    return ""


def test_a_sound_set_passes() -> None:
    assert complaints(a_set(), UnitSet()) == ""


@pytest.mark.parametrize("job", JOBS[::25])
@pytest.mark.parametrize(
    ("kind", "line"),
    [
        ("service", "[Unit]\nDocumentation=not an address\n"),
        ("service", "[Service]\nExecStartPre=/bin/true \\x\n"),
        ("service", "[Service]\nNonsense=1\n"),
        ("timer", "[Timer]\nOnCalendar=sometime\n"),
        ("timer", "[Timer]\nNonsense=1\n"),
    ],
)
def test_a_fault_of_any_job_is_found_and_again_only_if_the_job_changed(job: str, kind: str, line: str) -> None:
    assert len(JOBS) > FEW_JOBS  # with and without a sound set it is read in different ways
    sound, path = a_set(), f"clock-limits-{job}.{kind}"
    faulty = sound | {path: sound[path] + line}
    found = complaints(faulty, UnitSet())
    assert path in found
    assert complaints(faulty, sound) == found


def test_an_unknown_line_that_services_inherit_is_found_even_if_no_job_changed() -> None:
    sound = a_set()
    for path in (names.ALL_SERVICES, names.clock_drop_in("limits"), "clock-limits.slice", "clock-limits.target"):
        faulty = sound | {path: sound[path] + "\nNonsense=1\n"}
        assert "Nonsense" in complaints(faulty, sound), path


def test_a_command_that_is_gone_is_found_even_if_no_job_changed() -> None:
    units = a_set()
    gone = UnitSet({path: text.replace("ExecStart=/bin/true", "ExecStart=/bin/gone") for path, text in units.items()})
    assert "Command /bin/gone is not executable" in complaints(gone, gone)


def test_a_job_that_was_found_sound_is_not_read_again() -> None:
    units = a_set()
    faulty = units | {"clock-limits-z.timer": units["clock-limits-z.timer"] + "Nonsense=1\n"}
    assert complaints(faulty, UnitSet()) != ""
    assert complaints(faulty | {"clock-limits-b.timer": "# other\n" + units["clock-limits-b.timer"]}, faulty) == ""


def test_a_verdict_depends_on_the_operators_drop_ins_and_not_on_our_own(tmp_path: Path) -> None:
    places = Places(tmp_path)
    folder = places.systemd / "clock-.service.d"
    folder.mkdir(parents=True)
    Effects().link(folder / "10-all.conf", places.link_target("clock-.service.d/10-all.conf"))
    assert list(_drop_ins(places)) == []
    (folder / "90-local.conf").write_text("[Service]\n")
    [before] = _drop_ins(places)
    (folder / "90-local.conf").write_text("[Service]\nNice=1\n")
    [after] = _drop_ins(places)
    assert before != after


class Here(Places):
    """Folders below a root of the test, as if systemd ran there."""

    @property
    def is_running(self) -> bool:
        return True


def test_a_drop_in_that_came_after_a_set_was_judged_is_not_remembered_with_it(tmp_path: Path) -> None:
    units, places = a_set(), Here(tmp_path)
    circumstances = judge(units, places, UnitSet())
    remember(units, circumstances, places, Effects())
    assert _is_sound(units, _circumstances(places), places)
    folder = places.systemd / "clock-.service.d"
    folder.mkdir(parents=True)
    (folder / "90-local.conf").write_text("[Service]\n")
    remember(units, circumstances, places, Effects())  # the apply that judged it ends only now
    assert not _is_sound(units, _circumstances(places), places)
