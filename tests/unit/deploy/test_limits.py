"""What a running job would lose to another set: pure, from texts."""

import pytest

from scheduled_tasks.deploy.limits import Comparison, limits_of, lost
from scheduled_tasks.render.unit_file import UnitFile
from scheduled_tasks.render.unit_set import UnitSet

SERVICE = "clock-a-x.service"


@pytest.mark.parametrize(
    ("old", "new", "keeps"),
    [
        ("RuntimeMaxSec=1h", "RuntimeMaxSec=30min", {"RuntimeMaxSec": ("1h",)}),
        ("RuntimeMaxSec=30min", "RuntimeMaxSec=1h", {}),
        ("RuntimeMaxSec=90", "RuntimeMaxSec=1min 30s", {}),
        ("RuntimeMaxSec=infinity", "RuntimeMaxSec=1d", {"RuntimeMaxSec": ("infinity",)}),
        ("TimeoutStartSec=infinity", "", {"TimeoutStartSec": ("infinity",)}),
        ("", "TimeoutStartSec=infinity", {}),
        ("MemoryMax=1G", "MemoryMax=2G", {"MemoryMax": ("1G",)}),
        ("", "MemoryHigh=1G", {"MemoryHigh": ("infinity",)}),
        ("", "CPUQuota=20%", {"CPUQuota": ("",)}),
        ("Type=notify\nNotifyAccess=all", "Type=exec", {"NotifyAccess": ("all",), "Type": ("notify",)}),
        ("Type=exec", "Type=notify\nNotifyAccess=all", {"NotifyAccess": ("none",), "Type": ("exec",)}),
        ("IPAddressDeny=any\nIPAddressDeny=", "IPAddressDeny=any", {"IPAddressDeny": ("",)}),
        ("IPAddressAllow=localhost\nIPAddressAllow=192.0.2.7", "IPAddressAllow=localhost",
         {"IPAddressAllow": ("", "localhost", "192.0.2.7")}),
        ("Nice=5\nDescription=old", "Nice=10\nDescription=new", {}),
    ],
)  # fmt: skip
def test_a_run_keeps_each_limit_whose_change_would_end_or_constrain_it(
    old: str, new: str, keeps: dict[str, tuple[str, ...]]
) -> None:
    assert lost(limits_of([UnitFile(old)]), limits_of([UnitFile(new)])) == keeps


def test_a_later_file_counts_and_an_override_comes_last() -> None:
    old = UnitSet({SERVICE: "[Service]\n", "clock-a-.service.d/20-clock.conf": "[Service]\nRuntimeMaxSec=10min\n"})
    new = old | {f"{SERVICE}.d/30-job.conf": "[Service]\nRuntimeMaxSec=20min\n"}
    assert Comparison(old, new, {}).lost(SERVICE) == {}
    overrides = {SERVICE: "[Service]\nRuntimeMaxSec=1h\n"}
    assert Comparison(old, new, overrides).lost(SERVICE) == {"RuntimeMaxSec": ("1h",)}


def test_a_unit_that_comes_back_while_its_job_runs_does_not_limit_that_run() -> None:
    new = UnitSet({SERVICE: "[Service]\nRuntimeMaxSec=10min\nMemoryMax=1G\n"})
    kept = {"MemoryMax": ("infinity",), "RuntimeMaxSec": ("infinity",)}
    assert Comparison(UnitSet(), new, {}).lost(SERVICE) == kept


def test_the_effect_on_a_run_is_put_into_a_sentence() -> None:
    def effect(old: str, new: str) -> str:
        return Comparison(UnitSet({SERVICE: old}), UnitSet({SERVICE: new}), {}).effect(SERVICE)

    assert effect("Nice=1", "Nice=2") == "goes on to its end as it was started; its next run is the new one"
    assert effect("RuntimeMaxSec=1h\nTasksMax=40", "RuntimeMaxSec=2h\nTasksMax=20\nRestart=on-failure") == (
        "goes on to its end as it was started; keeps TasksMax=40; has RuntimeMaxSec=2h from now on; "
        "its next run is the new one; the new unit decides whether this run is retried"
    )
