"""The table of options: accepted values, their unit lines, and the suggestions of its faults."""

from pathlib import Path

import pytest

from scheduled_tasks.options import DEFAULT_OPTIONS, OPTIONS, Options, read_options
from scheduled_tasks.render.directives import UnsafeUnitError, lines, require_limits, unsupported
from scheduled_tasks.render.host import Host


def written(given: dict[str, object], *, version: int = 252, network: tuple[str, ...] = ()) -> list[str]:
    options, faults = read_options(given, of_clock=True)
    assert faults == []
    host = Host(run_task="", configuration=Path(), systemd_version=version, allow_network=network)
    return [line for section in ("Unit", "Service", "Slice") for line in lines(options, options, section, host)]


@pytest.mark.parametrize(
    ("name", "value", "line"),
    [
        ("timeout", 90, "RuntimeMaxSec=90"),
        ("timeout", "1h 30min", "RuntimeMaxSec=1h 30min"),
        ("memory_max", "1.5G", "MemoryMax=1.5G"),
        ("memory_high", "40%", "MemoryHigh=40%"),
        ("cpu_quota", "200%", "CPUQuota=200%"),
        ("cpu_weight", "idle", "CPUWeight=idle"),
        ("io_weight", 10_000, "IOWeight=10000"),
        ("tasks_max", 64, "TasksMax=64"),
        ("nice", -20, "Nice=-20"),
        ("nice", 19, "Nice=19"),
        ("retry_delay", "1min", "RestartSec=1min"),
        ("environment", {"GREETING": 'say "50%"'}, 'Environment="GREETING=say \\"50%%\\""'),
        ("environment", {"LINES": "one\ntwo\\"}, 'Environment="LINES=one\\ntwo\\\\"'),
        ("working_directory", "/srv/a b", "WorkingDirectory=/srv/a b"),
        ("read_write_paths", ["/srv/a b"], 'ReadWritePaths="/srv/a b"'),
        ("after", ["a.service", "b.mount"], "After=a.service b.mount"),
        ("log_namespace", "shop", "LogNamespace=shop"),
    ],
)
def test_an_option_becomes_its_directive(name: str, value: object, line: str) -> None:
    assert written({name: value}) == [line]


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"retries": 0}, ["Restart=no"]),
        ({"relax": ["jit"]}, ["X-Relaxed=jit", "MemoryDenyWriteExecute=no"]),
        ({"allow_network": "any"}, ["X-Relaxed=allow_network", "IPAddressDeny="]),
        (
            {"retries": 3},
            ["Restart=on-failure", "RestartSec=30s", "RestartPreventExitStatus=64 69 78", "RuntimeDirectory=%N",
             "RuntimeDirectoryPreserve=restart"],
        ),
        ({"user": "shop"}, ["DynamicUser=no", "User=shop"]),
        ({"requires": ["srv.mount"]}, ["Requires=srv.mount", "After=srv.mount"]),
        (
            {"allow_network": ["192.0.2.7"]},
            ["IPAddressDeny=any", "IPAddressAllow=", "IPAddressAllow=localhost 10.0.0.5 192.0.2.7"],
        ),
    ],
)  # fmt: skip
def test_an_option_can_become_several_lines(given: dict[str, object], expected: list[str]) -> None:
    assert written(given, network=("10.0.0.5",)) == expected


def test_a_directive_missing_from_a_systemd_version_is_left_out_and_reported() -> None:
    given = {"retry_delay_max": "1h", "concurrency": 2}
    assert written(given, version=252) == []
    assert written(given, version=258) == ["ConcurrencySoftMax=2"]
    grows = ["RestartSteps=5", "RestartMaxDelaySec=1h"]
    assert [line for line in written(given | {"retries": 5}, version=254) if line in grows] == grows
    assert not set(grows) & set(written(given | {"retries": 5}, version=253))
    options, _ = read_options(given, of_clock=True)
    assert unsupported(options, 258) == []
    assert unsupported(options, 257) == [
        (
            "concurrency=2: ConcurrencySoftMax= came with systemd 258, this host has 257: "
            "the jobs take turns by locks instead"
        )
    ]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("timeout", "soon"),
        ("timeout", 0),
        ("timeout", "infinity"),
        ("memory_max", "lots"),
        ("memory_max", 0),
        ("memory_max", "5M\nExecStart=/bin/false"),
        ("memory_max", "\N{ARABIC-INDIC DIGIT FIVE}M"),
        ("cpu_quota", 50),
        ("cpu_quota", "0%"),
        ("cpu_weight", 0),
        ("cpu_weight", 10_001),
        ("tasks_max", 0),
        ("nice", 20),
        ("nice", -21),
        ("nice", True),
        ("retries", -1),
        ("retries", 100),
        ("concurrency", 0),
        ("environment", ["A=b"]),
        ("user", "root"),
        ("user", "a b"),
        ("working_directory", "relative"),
        ("working_directory", "/up/../and/away"),
        ("working_directory", "/ends/in/blank "),
        ("working_directory", "/srv/\\"),
        ("read_write_paths", "/srv"),
        ("read_write_paths", ["-/srv"]),
        ("allow_network", ["db.example"]),
        ("allow_network", ["10.0.0.1/8"]),
        ("allow_network", "10.0.0.1"),
        ("after", ["postgresql"]),
        ("requires", ["a.service\nExecStart=/bin/false"]),
        ("log_namespace", "a b"),
        ("relax", ["everything"]),
    ],
)
def test_a_value_that_limits_nothing_or_makes_no_sense_is_a_fault_with_an_example(name: str, value: object) -> None:
    options, [fault] = read_options({name: value}, of_clock=True)
    assert options.values == ()
    assert (fault.field, fault.value) == (name, repr(value))
    assert fault.instead == f"write {OPTIONS[name].example}"


@pytest.mark.parametrize(
    ("given", "problem"),
    [
        ({"A B": "c"}, "has 'A B', which is not the name of a variable"),
        ({"A": None}, "has a value for A that is neither text nor a whole number"),
        ({"A": "nul\0"}, "has a control character, which a unit file can't hold"),
        ({"A": "\udc80"}, "has a code point that systemd does not accept as a character"),
        ({"SCHEDULED_TASKS_CONFIG": "/elsewhere"}, "has SCHEDULED_TASKS_CONFIG, which is set for every job"),
        ({"SHOP_PASSWORD": "hunter2"}, "has SHOP_PASSWORD, which looks like a secret, and everybody can read a unit"),
        ({"MIRROR": "https://me:hunter2@mirror.example"}, "has MIRROR, which looks like a secret"),
    ],
)
def test_a_variable_that_can_not_be_written_or_is_a_secret_is_a_fault_without_its_value(
    given: dict[str, object], problem: str
) -> None:
    _, [fault] = read_options({"environment": given})
    assert fault.problem.startswith(problem)
    assert "hunter2" not in str(fault)


def test_an_option_of_clocks_is_a_fault_in_a_job() -> None:
    _, [fault] = read_options({"concurrency": 2})
    assert str(fault).startswith("concurrency=2: is an option of clocks, not of jobs; write it in Clock()")


def test_a_jobs_lists_add_to_its_clocks_and_its_other_values_replace_them() -> None:
    clock, _ = read_options({"environment": {"A": 1, "B": 1}, "after": ["a.service"], "timeout": 5, "nice": 1})
    job, _ = read_options({"environment": {"B": 2}, "after": ["a.service", "b.service"], "timeout": 6})
    assert job.over(clock).by_name == {
        "environment": ("A=1", "B=1", "B=2"),  # for systemd, the last value of a name wins
        "after": ("a.service", "b.service"),
        "timeout": "6",
        "nice": "1",
    }


def test_a_job_without_a_mandatory_limit_is_not_written() -> None:
    require_limits(DEFAULT_OPTIONS, "job a/b")
    with pytest.raises(UnsafeUnitError, match="job a/b has no timeout and no tasks_max: write timeout='30min'"):
        require_limits(Options((("memory_max", "1G"),)), "job a/b")
