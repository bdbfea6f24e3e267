"""Rendered units, judged by systemd itself (`systemd-analyze`; no booted system is needed)."""

import subprocess
from pathlib import Path

import pytest

GOLDEN = Path(__file__).parents[1] / "golden"
SYSTEMCTL = subprocess.run(["systemctl", "--version"], capture_output=True, text=True, check=True).stdout
VERSION = int(SYSTEMCTL.split()[1])


def is_for_this_systemd(case: Path) -> bool:
    return not (case / "systemd").exists() or int((case / "systemd").read_text()) <= VERSION


SETS = [path.parent for path in sorted(GOLDEN.glob("*/expected/clock.slice")) if is_for_this_systemd(path.parents[1])]


@pytest.mark.parametrize("folder", SETS, ids=lambda folder: folder.parent.name)
def test_systemd_finds_no_fault_in_a_rendered_set(folder: Path, tmp_path: Path) -> None:
    for path in folder.rglob("*.*"):
        if path.is_file():
            target = tmp_path / path.relative_to(folder)
            target.parent.mkdir(exist_ok=True)
            # Our commands aren't installed here; for this check any program will do.
            text = path.read_text()
            for command in ("run-task", "clocks"):
                text = text.replace(f"/opt/scheduled-tasks/current/bin/{command}", "/bin/true")
            target.write_text(text)
    units = [str(path) for path in tmp_path.iterdir() if path.suffix in {".service", ".timer", ".target", ".slice"}]
    verified = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", *units],
        env={"PATH": "/usr/bin:/bin", "SYSTEMD_UNIT_PATH": f"{tmp_path}:"},
        capture_output=True,
        text=True,
        check=False,
    )
    # The exit code is of no use: it is 0 even for unknown keys.
    assert verified.stderr == ""
