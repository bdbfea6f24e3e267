"""A credential reaches its job and is visible nowhere else."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.machine.rendered import OUT, Jobs, host, write
from tests.machine.waiting import wait_for

if TYPE_CHECKING:
    from tests.machine.machine import Machine

pytestmark = pytest.mark.xdist_group("secrets")  # one machine for all tests

PLAIN, ENCRYPTED = "open-sesame-7391", "shut-sesame-8264"
CREDENTIALS = "/etc/scheduled-tasks/credentials"
READS = f"""cat "$CREDENTIALS_DIRECTORY/plain" "$CREDENTIALS_DIRECTORY/sealed" >{OUT}/read
echo read
mv {OUT}/read {OUT}/done
exec sleep 60"""
PS = "command -v ps >/dev/null && exec ps axeww; exec cat /proc/[0-9]*/cmdline"  # a minimal system has no ps
# The environments and command lines of all processes.
EVERY_PROCESS = (
    "for file in /proc/[0-9]*/environ /proc/[0-9]*/cmdline; do tr '\\0' '\\n' <$file; done 2>/dev/null; true"
)


@pytest.fixture(scope="module")
def machine(either_machine: Machine) -> Machine:
    return either_machine


@pytest.fixture(scope="module")
def running(machine: Machine, tmp_path_factory: pytest.TempPathFactory) -> str:
    """A running job that has read its credentials."""
    write(machine, f"{CREDENTIALS}/plain", PLAIN, mode=0o600)
    sealed = ("systemd-creds", "encrypt", "--with-key=host", "--name=sealed", "-", f"{CREDENTIALS}/sealed.cred")
    machine.run(*sealed, stdin=ENCRYPTED)
    jobs = Jobs("secrets", f'read_write_paths=["{OUT}"]')
    jobs.add("reads", READS)
    jobs.put_on(
        machine, tmp_path_factory.mktemp("clock"), host(credentials=("plain",), encrypted_credentials=("sealed",))
    )
    machine.run("systemctl", "start", jobs.service("reads"))
    wait_for("the credentials", (machine.root / OUT.lstrip("/") / "done").exists)
    return jobs.service("reads")


def test_a_job_reads_plain_and_encrypted_credentials(machine: Machine, running: str) -> None:
    assert (machine.root / OUT.lstrip("/") / "done").read_text() == PLAIN + ENCRYPTED


def test_an_encrypted_credential_is_not_readable_in_its_file(machine: Machine, running: str) -> None:
    assert ENCRYPTED not in (machine.root / CREDENTIALS.lstrip("/") / "sealed.cred").read_text()


@pytest.mark.parametrize(
    "look",
    [
        ["systemctl", "show", "--all", "{unit}"],
        ["systemctl", "cat", "{unit}"],
        ["systemctl", "status", "--full", "{unit}"],
        ["journalctl", "--no-pager", "--output=export", "--all"],
        ["sh", "-c", PS],
        ["sh", "-c", EVERY_PROCESS],
        ["grep", "--recursive", "--text", "", "/etc/systemd/system", "/run/systemd/units"],
    ],
    ids=["show", "cat", "status", "journal", "ps", "proc", "units"],
)
def test_a_credential_is_not_visible_in(machine: Machine, running: str, look: list[str]) -> None:
    shown = machine.run(*(word.format(unit=running) if word == "{unit}" else word for word in look), check=False).stdout
    assert "clock" in shown or "sleep" in shown  # the command did show the job
    assert PLAIN not in shown
    assert ENCRYPTED not in shown


def test_no_other_user_can_read_a_credential(machine: Machine, running: str) -> None:
    other = ("setpriv", "--reuid=nobody", "--clear-groups", "cat")
    for path in ("/run/scheduled-tasks/secrets/plain", f"{CREDENTIALS}/plain"):
        assert "Permission denied" in machine.run(*other, path, check=False).stderr
