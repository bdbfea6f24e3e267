"""Which services are alike: pure, from texts."""

from scheduled_tasks.deploy.service_groups import drop_ins, shapes

FILES = {
    "clock-.service.d/10-every-job.conf": "[Service]\nNice=1\n",
    "clock-a-.service.d/20-clock.conf": "# The clock a\n[Service]\nSlice=clock-a.slice\nMemoryMax=1G\n",
    "clock-b-.service.d/20-clock.conf": "# The clock b\n[Service]\nSlice=clock-b.slice\nMemoryMax=1G\n",
    "clock-a-x.service": "# x\n[Unit]\nDescription=X\n[Service]\nExecStart=/bin/run x\n",
    "clock-a-y.service": "# y\n[Unit]\nDescription=Y\n[Service]\nExecStart=/bin/run y --with=more\n",
    "clock-b-x.service": "[Service]\nExecStart=/bin/run x\n",
    "clock-b-y.service": "[Service]\nExecStart=/bin/other x\n",
    "clock-b-z.service": "[Service]\nExecStart=/bin/run x\n",
    "clock-b-z.service.d/30-job.conf": "[Service]\nMemoryMax=2G\n",
}


def test_services_are_alike_that_differ_in_what_they_do_only() -> None:
    assert list(shapes(FILES).values()) == [
        ["clock-a-x.service", "clock-a-y.service", "clock-b-x.service"],
        ["clock-b-y.service"],  # another program, which may not be there
        ["clock-b-z.service"],
    ]


def test_a_services_drop_ins_are_those_that_systemd_reads() -> None:
    folders = {
        "clock-.service.d": ["clock-.service.d/10"],
        "clock-a-.service.d": ["clock-a-.service.d/20"],
        "clock-a-x.service.d": ["clock-a-x.service.d/30", "clock-a-x.service.d/05"],
        "clock-b-.service.d": ["clock-b-.service.d/20"],
        "clock-a-xy.service.d": ["clock-a-xy.service.d/30"],
    }
    assert drop_ins("clock-a-x.service", folders) == [
        "clock-a-x.service.d/05", "clock-.service.d/10", "clock-a-.service.d/20", "clock-a-x.service.d/30",
    ]  # fmt: skip
