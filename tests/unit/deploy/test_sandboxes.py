"""Which jobs share a trial of their sandbox, which addresses a sandbox lets through, and what to write instead."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path

import pytest

from scheduled_tasks.deploy.sandboxes.advice import _advice
from scheduled_tasks.deploy.sandboxes.sandbox import Sandbox, sandboxes
from scheduled_tasks.deploy.sandboxes.transient import unit_text
from scheduled_tasks.deploy.sandboxes.trial import _read_answer, _service
from scheduled_tasks.render import names
from scheduled_tasks.render.unit_set import UnitSet

RUN_TASK = Path("/opt/bin/run-task")


def units(**jobs: str) -> UnitSet:
    """A set whose clock has these jobs, each with the lines of its own drop-in."""
    listed = [{"clock": "shop", "job": job, "task": f"{job}.task"} for job in jobs]
    files = {
        names.JOBS: json.dumps({"jobs": listed}),
        names.ALL_SERVICES: "[Service]\nDynamicUser=yes\nIPAddressDeny=any\nIPAddressAllow=localhost 192.0.2.0/24\n",
    }
    for job, lines in jobs.items():
        files[names.service_name("shop", job)] = f"[Service]\nExecStart=/run-task {job}.task\n"
        files[names.job_drop_in("shop", job)] = f"[Service]\n{lines}\n"
    return UnitSet(files)


def sandbox(*directives: tuple[str, str]) -> Sandbox:
    return Sandbox(directives, ("shop/count",), ("shop.count",), needs_database=True)


def test_jobs_that_differ_only_in_limits_share_a_trial_that_imports_each_module() -> None:
    one, other = sandboxes(units(a="MemoryMax=1G\nNice=3", b="TasksMax=5", c="ReadWritePaths=/srv/out"))
    assert (one.jobs, one.tasks) == (("shop/a", "shop/b"), ("a.task", "b.task"))
    assert other.jobs == ("shop/c",)
    assert ("ReadWritePaths", "/srv/out") in other.directives
    assert not any(name in {"ExecStart", "MemoryMax"} for name, _ in (*one.directives, *other.directives))


def test_the_trial_runs_only_the_probe_with_a_time_limit() -> None:
    [one] = sandboxes(units(a=""))
    text = unit_text(_service(one, str(RUN_TASK)), Path("/run/out"))
    assert "ExecStart=/opt/bin/run-task --probe a.task\n" in text
    assert text.count("ExecStart=") == 1
    assert "TimeoutStartSec=180\n" in text


@pytest.mark.parametrize(
    ("address", "allowed"),
    [("127.0.0.1", True), ("::1", True), ("192.0.2.7", True), ("10.0.0.5", False), ("fe80::1%eth0", False)],
)
def test_the_address_filter_is_read_as_systemd_reads_it(address: str, allowed: bool) -> None:  # noqa: FBT001
    [one] = sandboxes(units(a=""))
    assert one.allows(address) is allowed
    [relaxed] = sandboxes(units(a="IPAddressDeny="))
    assert relaxed.allows(address)


def test_an_address_that_is_not_allowed_is_written_as_an_option() -> None:
    answer = {"failed": "database", "problem": "connection timeout expired", "addresses": "10.0.0.5 127.0.0.1"}
    one = sandbox(("IPAddressDeny", "any"), ("IPAddressAllow", "localhost"))
    [advice] = _advice(one, answer, answer["problem"], str(RUN_TASK))
    assert advice.startswith('write allow_network=["10.0.0.5/32"] in the clock or job')
    assert list(_advice(sandbox(), answer, answer["problem"], str(RUN_TASK))) == []


def test_a_resolver_on_another_machine_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("scheduled_tasks.deploy.sandboxes.advice.RESOLVER", tmp_path / "resolv.conf")
    (tmp_path / "resolv.conf").write_text("nameserver 127.0.0.53\nnameserver 10.0.0.2\n")
    one = sandbox(("IPAddressDeny", "any"), ("IPAddressAllow", "localhost"))
    problem = "failed to resolve host 'db': [Errno -3] Temporary failure in name resolution"
    resolver, write = _advice(one, {"failed": "database", "addresses": ""}, problem, str(RUN_TASK))
    assert "is on another machine" in resolver
    assert write.startswith('write allow_network=["10.0.0.2/32"]')


def test_a_folder_that_others_cannot_enter_is_named(tmp_path: Path) -> None:
    closed = tmp_path / "home"
    (closed / "bin").mkdir(parents=True)
    run = Path(tempfile.gettempdir())
    for folder in (*tmp_path.parents, tmp_path):
        if folder.is_relative_to(run) and folder != run:
            folder.chmod(0o755)
    closed.chmod(0o700)
    advice = list(_advice(sandbox(), {}, "its command can't be executed", str(closed / "bin/run-task")))
    assert advice == [f"its user can't enter {closed}: chmod a+x {closed}, or put what is in it elsewhere"]


def test_only_the_missing_file_of_a_credential_that_the_clock_has_of_its_own_is_named(tmp_path: Path) -> None:
    common, own = tmp_path / "database_url", tmp_path / "shop.database_url"
    lines = [("LoadCredential", f"database_url:{common}"), ("LoadCredentialEncrypted", f"database_url:{own}")]
    problem = "its credentials can't be loaded"
    assert list(_advice(sandbox(*lines), {}, problem, str(RUN_TASK))) == [f"these files must exist: {own}"]


@pytest.mark.parametrize("line", ["", "no", "[]", "3", '{"address": "x"}', '{"failed": 1, "addresses": "10.0.0.5 y"}'])
def test_what_is_no_answer_is_none(line: str) -> None:
    assert _read_answer(line) is None


def test_an_answer_is_read() -> None:
    assert _read_answer('{"failed": "database", "addresses": "10.0.0.5 ::1"}') is not None
    assert _read_answer("{}") == {}
