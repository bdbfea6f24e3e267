"""Options of the test run, what it leaves out on this machine and leaves behind, and the order of the long tests."""

from __future__ import annotations

import compileall
import gc
import os
import signal
import sys

import hypothesis
import pytest

import scheduled_tasks
from tests import leftovers
from tests.roots import BOOTING, FOR_SOME, ON_DEBIAN_13, lacking

# A busy machine is slow: no example has a time limit.
hypothesis.settings.register_profile("no_deadline", deadline=None)
hypothesis.settings.load_profile("no_deadline")

# An ordinary user's PATH lacks some folders with commands that tests run.
os.environ["PATH"] += ":/usr/sbin:/sbin"
HIDDEN = (  # from a job, by its sandbox: the interpreter must not be there
    "the sandbox of a job hides /tmp and /var/tmp, so clone the project elsewhere"
    if sys.prefix.startswith(("/tmp/", "/var/tmp/"))
    else ""
)
LEFT_OUT = "" if os.environ.get("CI") == "true" else HIDDEN or lacking("booting machines", BOOTING)
collect_ignore = ["machine"] if LEFT_OUT else []
# The groups that take minutes, longest first: one that began last would keep one process busy after all others.
LONG = (
    "deployments", "hostile", "newcomer", "alarms", "ledger", "herd", "killed", "deploy", "promises", "two_hosts",
    "sandboxes",
)  # fmt: skip


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--write-golden", action="store_true", help="write tests/golden/*/expected; then read the diff")


def pytest_configure() -> None:
    # A shell lets what it starts with `&` ignore Ctrl-C, and the commands that tests interrupt would inherit that.
    if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    if "PYTEST_XDIST_WORKER" not in os.environ:
        leftovers.begin()
        # Most of what a command in a machine takes is compiling, if it finds no byte code and may write none.
        compileall.compile_dir(scheduled_tasks.__path__[0], quiet=2)


def pytest_report_header() -> str:
    if LEFT_OUT:
        return f"the machine tests are left out: {LEFT_OUT}"
    if lack := lacking("some machine tests", FOR_SOME):
        return f"some machine tests are skipped: {lack}"
    return ""


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Begin with the long groups, and refuse to run if xdist doesn't keep a group's tests on one worker.

    They share a machine, in their order. xdist writes a test's group into its id; one version silently ignored the
    groups.
    """
    if "PYTEST_XDIST_WORKER" not in os.environ or not config.getoption("loadgroup", default=False):
        return
    if apart := [item.nodeid for item in items if item.get_closest_marker("xdist_group") and "@" not in item.nodeid]:
        raise pytest.UsageError(f"this pytest-xdist doesn't keep groups together, for example {apart[0]}")
    items.sort(key=_rank)


def pytest_collection_finish() -> None:
    """Let the garbage collector run less often, and not over the collected tests, which stay until the end."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000)


def _rank(item: pytest.Item) -> int:
    marker = item.get_closest_marker("xdist_group")
    group = marker.args[0].removesuffix(ON_DEBIAN_13) if marker else ""
    return LONG.index(group) if group in LONG else len(LONG)
