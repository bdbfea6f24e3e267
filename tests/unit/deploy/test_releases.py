"""The release of a set, the links that people use, and pruning; on an image."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from scheduled_tasks.deploy.analyze import with_installed_commands
from scheduled_tasks.deploy.apply import apply
from scheduled_tasks.deploy.releases import prepare, prune_releases, update_links
from scheduled_tasks.deploy.sets import kept_sets, rollback
from scheduled_tasks.render.escape import UnwritableValueError, command_line
from scheduled_tasks.render.host import Host
from scheduled_tasks.render.names import Places
from scheduled_tasks.render.unit_set import Release, UnitSet
from scheduled_tasks.render.units import render

OPT, ETC = "opt/scheduled-tasks", "etc/scheduled-tasks"
HOST = Host(run_task=f"/{OPT}/current/bin/run-task", configuration=Path(f"/{ETC}/config-1.toml"))


@pytest.fixture
def places(tmp_path: Path) -> Places:
    return Places(tmp_path)


def of_release(number: int) -> UnitSet:
    return render(
        [], replace(HOST, release=f"/{OPT}/releases/r{number}", configuration=Path(f"/{ETC}/config-{number}.toml"))
    )


def deploy(places: Places, number: int, credential: str = "") -> None:
    release = places.root / OPT / f"releases/r{number}"
    release.mkdir(parents=True, exist_ok=True)
    (places.root / ETC / "credentials").mkdir(parents=True, exist_ok=True)
    (places.root / ETC / f"config-{number}.toml").write_text(f'credentials = ["{credential}"]\n')
    prepare(of_release(number), places)
    apply(of_release(number), places)
    update_links(places)


def links(places: Places) -> tuple[str, str]:
    return (
        str((places.root / OPT / "current").readlink()),
        str((places.root / ETC / "config.toml").readlink()),
    )


def names(folder: Path, pattern: str = "*") -> list[str]:
    return sorted(path.name for path in folder.glob(pattern) if not path.is_symlink())


def test_a_set_names_its_release_and_its_configuration() -> None:
    assert of_release(7).release == Release(
        Path(f"/{OPT}/releases/r7"), Path(f"/{OPT}/current"), Path(f"/{ETC}/config-7.toml")
    )
    assert render([], HOST).release is None


# Each part would break a unit's line in its own way.
ODD = "/srv/two words/100%n/$HOME/a:b/back\\slash/ü"


def test_a_set_names_paths_of_any_form_and_they_are_read_back() -> None:
    configuration = Path(f"{ODD}/\"quoted\" and 'single'.toml")
    odd = Host(run_task=f"{ODD}/current/bin/run-task", configuration=configuration, release=f"{ODD}/r 1")
    units = render([], odd)
    assert units.release == Release(Path(f"{ODD}/r 1"), Path(f"{ODD}/current"), configuration)
    units |= {"clock-a-x.service": f"ExecStart={command_line(odd.run_task, 'a.b')}\n"}
    assert with_installed_commands(units)["clock-a-x.service"] == f'ExecStart="{sys.prefix}/bin/run-task" a.b\n'


@pytest.mark.parametrize(
    "wrong",
    [
        {"user": "two words"}, {"user": "%u"}, {"user": "a\nUser=root"}, {"log_namespace": "a b"},
        {"credentials": ("key:/etc/shadow",)}, {"encrypted_credentials": ("../key",)},
        {"configuration": Path("/etc/a\nb")}, {"release": "/opt/a\tb"},
        {"credentials": ("key",), "credentials_folder": "/etc/a\nb"},
        {"release": '/opt/a"b'}, {"release": "/opt/a'b"}, {"release": "/opt/a", "run_task": "/o'p/current/bin/run"},
        {"credentials": ("key",), "credentials_folder": "/etc/a b"},
        {"credentials": ("key",), "credentials_folder": "/etc/a\\b"},
    ],
    ids=str,
)  # fmt: skip
def test_a_value_of_the_host_that_no_unit_can_contain_is_rejected(wrong: dict[str, Any]) -> None:
    with pytest.raises(UnwritableValueError):
        render([], replace(HOST, **wrong))


def test_a_new_release_alone_changes_one_file() -> None:
    changed = [path for path, text in of_release(1).items() if of_release(2)[path] != text]
    assert changed == ["clock-.service.d/10-every-job.conf"]


def test_peoples_links_lead_to_the_current_set_after_an_apply_and_a_rollback(places: Places) -> None:
    deploy(places, 1)
    assert links(places) == ("releases/r1", "config-1.toml")
    deploy(places, 2)
    assert links(places) == ("releases/r2", "config-2.toml")
    rollback("", places)
    assert update_links(places) == (f"/{OPT}/current", f"/{ETC}/config.toml")
    assert links(places) == ("releases/r1", "config-1.toml")
    assert update_links(places) == ()


def test_old_releases_are_removed_with_the_sets_configurations_and_credentials_that_only_they_need(
    places: Places,
) -> None:
    for number in (1, 2, 3):
        deploy(places, number, credential=f"key_{number}")
        (places.root / ETC / f"credentials/key_{number}").touch()
    (places.root / OPT / "releases/broken_off").mkdir()
    pruned = prune_releases(places, 2, act=False)
    assert names(places.root / OPT / "releases") == ["broken_off", "r1", "r2", "r3"]
    assert prune_releases(places, 2) == pruned
    assert (pruned.releases, pruned.files, len(pruned.sets)) == (("broken_off", "r1"), ("config-1.toml", "key_1"), 1)
    assert names(places.root / OPT / "releases") == ["r2", "r3"]
    assert names(places.root / ETC, "config-*") == ["config-2.toml", "config-3.toml"]
    assert names(places.root / ETC / "credentials") == ["key_2", "key_3"]
    assert not prune_releases(places, 2).changed
    rollback("", places)  # to a complete release
    update_links(places)
    assert links(places) == ("releases/r2", "config-2.toml")


def test_each_release_keeps_a_set_for_a_rollback_however_many_sets_follow(places: Places) -> None:
    deploy(places, 1)
    deploy(places, 2)
    for hour in range(7):  # changed clock files, in the same release
        timer = {"clock-a-x.timer": f"[Timer]\nOnCalendar=*-*-* {hour:02}:00:00 UTC\n"}
        service = {"clock-a-x.service": "[Service]\nExecStart=/bin/true\n"}
        apply(of_release(2) | timer | service, places)
    assert len(kept_sets(places)) == 6  # five, and one of the other release
    assert prune_releases(places, 2).releases == ()
    rollback(kept_sets(places)[-1].name, places)
    update_links(places)
    assert links(places) == ("releases/r1", "config-1.toml")
    assert prune_releases(places, 1).releases == ("r2",)
    apply(of_release(1) | service, places)
    assert len(kept_sets(places)) == 2  # none of the removed release


def test_credentials_are_switched_and_removed_with_the_configuration_that_names_their_folder(places: Places) -> None:
    for number in (1, 2, 3):
        deploy(places, number)
        folder = places.root / ETC / f"credentials/lot{number}"
        folder.mkdir()
        (folder / "key").write_text(str(number))
        (places.root / ETC / f"config-{number}.toml").write_text(
            f'credentials_folder = "/{ETC}/credentials/lot{number}"\n'
        )
        update_links(places)
    current = places.root / ETC / "credentials/current"
    assert (current / "key").read_text() == "3"
    rollback("", places)
    update_links(places)
    assert (current / "key").read_text() == "2"
    assert "lot1" in prune_releases(places, 2).files
    assert names(places.root / ETC / "credentials") == ["lot2", "lot3"]
    assert (current / "key").read_text() == "2"


def test_the_stamp_of_a_timer_is_removed_with_the_last_set_that_has_the_timer(places: Places) -> None:
    places.stamps.mkdir(parents=True)
    for timer in ("gone", "stays"):
        (places.stamps / f"stamp-clock-a-{timer}.timer").touch()
    deploy(places, 1)
    units = {}
    for job in ("gone", "stays"):
        units[f"clock-a-{job}.timer"] = "[Timer]\nOnCalendar=*-*-* 06:00 UTC\n"
        units[f"clock-a-{job}.service"] = "[Service]\nExecStart=/bin/true\n"
    first = of_release(1) | units
    apply(first, places)
    deploy(places, 2)
    apply(of_release(2) | {path: text for path, text in units.items() if "gone" not in path}, places)
    assert prune_releases(places, 2).files == ()
    assert "stamp-clock-a-gone.timer" in prune_releases(places, 1).files
    assert names(places.stamps) == ["stamp-clock-a-stays.timer"]


def test_a_release_that_a_process_was_started_from_is_kept(places: Places) -> None:
    # Every test that prunes looks at all processes of this machine: no other one has this release.
    for number in (8, 9):
        deploy(places, number)
    interpreter = places.root / OPT / "releases/r8/python"
    interpreter.symlink_to(sys.executable)
    wait = "import sys; print('up', flush=True); sys.stdin.read()"
    with subprocess.Popen([interpreter, "-c", wait], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as running:
        assert running.stdout is not None
        assert running.stdout.readline() == b"up\n"
        assert prune_releases(places, 1).releases == ()
        running.communicate()
    assert prune_releases(places, 1).releases == ("r8",)
