"""Which services have the same directives and programs: pure, from texts."""

from scheduled_tasks.render.service_groups import group_services
from scheduled_tasks.render.unit_set import UnitSet

UNITS = UnitSet(
    {
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
)


def test_services_that_differ_only_in_what_they_do_are_in_one_group() -> None:
    assert group_services(UNITS) == [
        ["clock-a-x.service", "clock-a-y.service", "clock-b-x.service"],
        ["clock-b-y.service"],  # another program, which may be missing
        ["clock-b-z.service"],
    ]
