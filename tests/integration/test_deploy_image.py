"""`clocks plan`, `apply`, `sets`, `rollback` and `remove` on an image (`--root`): without systemd and without root."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from scheduled_tasks.cli import main
from scheduled_tasks.deploy.analyze import UnsoundUnitError
from scheduled_tasks.deploy.apply import ForeignUnitError, apply
from scheduled_tasks.deploy.effects import Effects
from scheduled_tasks.deploy.sets import kept_sets, remove_all, rollback
from scheduled_tasks.errors import ScheduledTasksError, UsageError
from scheduled_tasks.render.names import Places
from scheduled_tasks.render.unit_set import UnitSet
from scheduled_tasks.run import settings


def timer(hour: int) -> str:
    return f"[Unit]\nDescription=x\n\n[Timer]\nOnCalendar=*-*-* {hour:02}:00:00 UTC\n"


HARDENED = (Path(__file__).parents[1] / "golden/limits/expected/clock-.service.d/10-every-job.conf").read_text()
SERVICE = HARDENED + "ExecStart=/bin/true\n"


def unit_files(hour: int = 6) -> UnitSet:
    return UnitSet({"clock-a.target": "[Unit]\n", "clock-a-x.timer": timer(hour), "clock-a-x.service": SERVICE})


@pytest.fixture
def places(tmp_path: Path) -> Places:
    return Places(tmp_path)


def linked(places: Places) -> dict[str, str]:
    """What systemd will read when the image is booted: the links have absolute paths, inside the image."""
    return {
        str(link.relative_to(places.systemd)): (places.root / str(link.readlink()).lstrip("/")).read_text()
        for link in places.systemd.rglob("*")
        if link.is_symlink()
    }


def test_an_image_gets_the_units_and_a_second_apply_writes_nothing(places: Places) -> None:
    assert apply(unit_files(), places).changed
    assert linked(places) == unit_files() | {"timers.target.wants/clock-a.target": "[Unit]\n"}
    before = {path: path.lstat().st_ctime_ns for path in places.root.rglob("*")}
    assert not apply(unit_files(), places).changed
    assert {path: path.lstat().st_ctime_ns for path in places.root.rglob("*")} == before


def test_a_rollback_restores_removed_units(places: Places) -> None:
    apply(unit_files(), places)
    apply(UnitSet({"clock-b.target": "[Unit]\n"}), places)
    assert set(linked(places)) == {"clock-b.target", "timers.target.wants/clock-b.target"}
    rollback("", places)
    assert linked(places)["clock-a-x.timer"] == timer(6)
    with pytest.raises(UsageError, match="there is no set 12345"):
        rollback("12345", places)


def test_five_sets_are_kept(places: Places) -> None:
    for hour in range(8):
        apply(unit_files(hour), places)
    kept = kept_sets(places)
    assert [kept_set.current for kept_set in kept] == [True, False, False, False, False]
    assert (places.sets / kept[-1].name / "clock-a-x.timer").read_text() == timer(3)


class Killed(Exception):  # noqa: N818 - not an error but the end of an apply
    """Stands for a SIGKILL."""


class BeforeTheFlip(Effects):
    """Stops right before another set becomes current."""

    def step(self, operation: str, what: object) -> None:
        if operation == "rename" and str(what).endswith("/current"):
            raise Killed


@pytest.mark.parametrize("hour", [5, 8])  # a set that was current before the last two, and one that never was
def test_a_rollback_skips_a_set_whose_apply_was_killed_before_the_switch(places: Places, hour: int) -> None:
    for earlier in (5, 6, 7):
        apply(unit_files(earlier), places)
    listed = kept_sets(places)
    with pytest.raises(Killed):
        apply(unit_files(hour), places, BeforeTheFlip())
    assert kept_sets(places) == listed
    with pytest.raises(UsageError, match="there is no set"):
        rollback(unit_files(8).name, places)
    rollback("", places)
    assert linked(places)["clock-a-x.timer"] == timer(6)
    folders = [path.name for path in places.sets.iterdir() if not path.is_symlink()]
    assert sorted(folders) == sorted(kept_set.name for kept_set in listed)  # and the rollback removes its folder


def test_an_apply_killed_after_the_switch_keeps_the_order_of_sets(places: Places) -> None:
    class AfterTheFlip(Effects):
        def rename(self, path: Path, to: Path) -> None:
            super().rename(path, to)
            if to.name == "current":
                raise Killed

    for hour in (5, 6, 7):
        apply(unit_files(hour), places)
    with pytest.raises(Killed):
        apply(unit_files(5), places, AfterTheFlip())
    apply(unit_files(8), places)
    rollback("", places)
    assert linked(places)["clock-a-x.timer"] == timer(5)


def test_remove_all_leaves_only_an_operators_files(places: Places) -> None:
    local = places.systemd / "clock-.service.d/90-local.conf"
    local.parent.mkdir(parents=True)
    local.write_text("[Service]\n")
    places.stamps.mkdir(parents=True)
    (places.stamps / "stamp-clock-a-x.timer").touch()
    (places.stamps / "stamp-apt.timer").touch()
    apply(unit_files() | {"clock-.service.d/10-every-job.conf": "[Service]\n"}, places)
    assert remove_all(places).changed
    assert [path.name for path in places.root.rglob("*") if not path.is_dir()] == ["90-local.conf", "stamp-apt.timer"]
    assert not remove_all(places).changed


@pytest.mark.parametrize(
    ("service", "message"),
    [
        (SERVICE.replace("UMask=0077", "Umask=77"), "Unknown key"),
        (SERVICE.replace("PrivateUsers=yes\n", "").replace("ProtectSystem=strict\n", ""), "x.service: exposed to 1"),
        ("[Service]\nExecStart=/bin/true\n", "clock-a-x.service: exposed to 9"),
    ],
    ids=["unsound", "less hardened", "not hardened"],
)
def test_a_set_that_fails_verification_changes_nothing(places: Places, service: str, message: str) -> None:
    apply(unit_files(6), places)
    before = linked(places)
    with pytest.raises(ScheduledTasksError, match=message):
        apply(unit_files(7) | {"clock-a-x.service": service}, places)
    assert linked(places) == before
    assert len(kept_sets(places)) == 1


def test_a_fault_in_any_of_many_units_is_found(places: Places) -> None:
    """Even in one whose name is not given to systemd."""
    jobs = [f"clock-a-x{number}" for number in range(20)]
    files = {"clock-a.target": f"[Unit]\nWants={' '.join(f'{job}.timer' for job in jobs)}\n"}
    files |= {f"{job}.timer": timer(6) for job in jobs} | {f"{job}.service": SERVICE for job in jobs}
    units = UnitSet(files)
    apply(units, places)
    for path, text in (
        ("clock-a-x7.service", SERVICE + "Umask=0\n"),
        ("clock-a-x7.timer", timer(6).replace("06:00", "26:00")),
        ("clock-a-x7.service", SERVICE.replace("ExecStart=", "ExecStart=relative/")),
    ):
        with pytest.raises(UnsoundUnitError, match=rf"{path}:\d+: "):
            apply(units | {path: text}, places)


def test_a_packages_unit_is_not_replaced(places: Places) -> None:
    packaged = places.root / "usr/lib/systemd/system/clock-a-x.timer"
    packaged.parent.mkdir(parents=True)
    packaged.write_text(timer(3))
    with pytest.raises(ForeignUnitError, match=r"clock-a-x\.timer: a package's unit, .*; rename the job"):
        apply(unit_files(), places)
    assert not places.systemd.exists()


@pytest.mark.parametrize("path", ["clock-a-x.timer", "clock-a-x.service"])
def test_a_foreign_file_is_a_conflict_and_nothing_changes(places: Places, path: str) -> None:
    places.systemd.mkdir(parents=True)
    (places.systemd / path).write_text("by hand")
    with pytest.raises(ForeignUnitError, match=f"{path}: a file that clocks did not make"):
        apply(unit_files(), places)
    assert [entry.name for entry in places.root.rglob("*") if not entry.is_dir()] == [path]


def test_a_masked_unit_is_a_conflict_with_the_command_that_unmasks_it(places: Places) -> None:
    places.systemd.mkdir(parents=True)
    (places.systemd / "clock-a-x.timer").symlink_to("/dev/null")
    with pytest.raises(ForeignUnitError, match=r"masked; run 'systemctl unmask clock-a-x\.timer'"):
        apply(unit_files(), places)


def test_an_edited_current_set_is_a_conflict_that_names_the_file(places: Places) -> None:
    apply(unit_files(), places)
    (places.current / "clock-a-x.timer").write_text(timer(9))
    with pytest.raises(ForeignUnitError, match=r"clock-a-x\.timer: edited by hand") as raised:
        apply(unit_files(7), places)
    assert str(raised.value).count("edited by hand") == 1
    with pytest.raises(ForeignUnitError, match=r"clock-a-x\.timer: edited by hand"):
        remove_all(places)
    assert (places.current / "clock-a-x.timer").read_text() == timer(9)


def test_a_rollback_to_an_edited_set_is_a_conflict(places: Places) -> None:
    apply(unit_files(6), places)
    first = places.current.resolve()
    apply(unit_files(7), places)
    (first / "clock-a-x.timer").write_text(timer(9))
    with pytest.raises(ForeignUnitError, match="edited by hand"):
        rollback("", places)
    assert (places.current / "clock-a-x.timer").read_text() == timer(7)


def clocks(*arguments: str) -> tuple[int, str]:
    done = CliRunner().invoke(main, arguments)
    return done.exit_code, done.stdout


def test_the_plan_shows_what_an_apply_will_do_and_exits_2(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SCHEDULED_TASKS_CONFIG", str(Path(__file__).parents[2] / "pyproject.toml"))
    settings.load.cache_clear()
    root = ("--root", str(tmp_path))
    code, printed = clocks("plan", "--json", "--diff", "--without-database", *root)
    assert code == 2
    planned = json.loads(printed)
    assert list(tmp_path.iterdir()) == []
    assert "clock-booking.target" in planned["created"]
    assert {timer["next"] for timer in planned["timers"]} == {None}
    assert all(timer["new_next"] for timer in planned["timers"])
    assert "+++ clock-booking.target" in planned["diff"]
    assert clocks("plan", "--without-database", *root)[0] == 2
    assert clocks("apply", "--without-database", *root)[0] == 0
    assert clocks("plan", "--without-database", *root) == (0, "nothing to do: the timers match the clock files\n")
    code, printed = clocks("sets", "--json", *root)
    assert [kept_set["current"] for kept_set in json.loads(printed)] == [True]
    assert clocks("rollback", *root)[0] == 64
    assert clocks("remove", *root)[0] == 64
    assert clocks("remove", "--all", *root)[0] == 0
    settings.load.cache_clear()
