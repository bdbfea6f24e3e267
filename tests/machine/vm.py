"""A virtual machine: its own kernel, control groups v2 and clock, for tests that a container can't run.

qemu emulates it, since CI has no KVM. Its clock counts the instructions that it executes and skips idle time (`-icount
sleep=off`): an hour of waiting takes half a minute, and everything happens at the same time of its clock however busy
the host is. The host's clock is never set.
"""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from tests.machine.waiting import wait_for
from tests.roots import debian_13, lacking, require

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

REPORT = "/dev/ttyS1"  # a second serial line: the kernel writes to the first
OVER = "over\n"  # the last line of a report
LIFE_TIMEOUT = 1500  # seconds of the host; two minutes are usual, and CI's host may be busy


@dataclass(frozen=True)
class VirtualMachine:
    """A machine that can be booted, switched off and booted again.

    Attributes:
        folder: its disk image, its report and its console output.
        has_network: whether it reaches the host's loopback, as 10.0.2.2.
    """

    folder: Path
    has_network: bool = False

    @property
    def report(self) -> str:
        """What it has written to REPORT since its last boot."""
        path = self.folder / "report"
        return path.read_text(errors="replace") if path.exists() else ""

    def boot(self, at: datetime | None = None) -> subprocess.Popen[bytes]:
        """Switch it on. Killing the process is a power cut.

        Args:
            at: the time of its clock at boot, in UTC. Without one it runs in real time, on two processors.
        """
        (self.folder / "report").unlink(missing_ok=True)
        pace = ["-accel", "tcg,thread=multi", "-smp", "2", "-rtc", "base=utc"]
        if at is not None:
            counted = f"base={at:%Y-%m-%dT%H:%M:%S},clock=vm"
            pace = ["-accel", "tcg", "-icount", "shift=1,sleep=off", "-smp", "1", "-rtc", counted]
        network = "user,model=virtio-net-pci" if self.has_network else "none"
        command = [
            "qemu-system-x86_64", *pace, "-m", "768",
            "-display", "none", "-nic", network,
            "-serial", f"file:{self.folder}/console", "-serial", f"file:{self.folder}/report",
            "-kernel", str(self.folder / "vmlinuz"), "-initrd", str(self.folder / "initrd"),
            "-append", "root=/dev/vda rw console=ttyS0 quiet systemd.show_status=0",
            "-drive", f"file={self.folder}/image,if=virtio,format=raw",
        ]  # fmt: skip
        return subprocess.Popen(command, stdin=subprocess.DEVNULL)

    def cut(self, what: str, condition: Callable[[], bool], *, seconds: float, at: datetime | None = None) -> None:
        """Boot it (`at` as in `boot`), wait for a condition, and cut its power.

        Raises:
            AssertionError: the condition stayed false; with the ends of its report and its console output.
        """
        process = self.boot(at)
        try:
            wait_for(what, condition, seconds=seconds, longest_pause=0.1)  # idle, its clock leaps ahead
        except AssertionError as error:
            console = (self.folder / "console").read_text(errors="replace")
            raise AssertionError(f"{error}:\n{self.report[-3000:]}\n{console[-2000:]}") from None
        finally:
            process.kill()
            process.wait()

    def live(self, at: datetime | None = None) -> str:
        """Boot it, wait until it switches itself off, and return its report.

        Raises:
            AssertionError: it stayed on, or its report is incomplete; with the end of its console output.
        """
        process = self.boot(at)
        try:
            process.wait(LIFE_TIMEOUT)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        console = (self.folder / "console").read_text(errors="replace")
        assert self.report.endswith(OVER), f"{self.report[-2000:]}\n{console[-2000:]}"
        return self.report


@contextmanager
def virtual_machine(furnish: Callable[[Path], None], *, has_network: bool = False) -> Iterator[VirtualMachine]:
    """A Debian 13 machine, not yet booted.

    Args:
        furnish: puts what the machine needs into its root directory.
        has_network: whether it reaches the host's loopback, as 10.0.2.2.
    """
    require(lacking("a virtual machine", {"mke2fs": "e2fsprogs", "qemu-system-x86_64": "qemu-system-x86"}))
    base = debian_13()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        root = folder / "root"
        subprocess.run(["cp", "-a", str(base), str(root)], check=True)
        furnish(root)
        for kind, pattern in (("vmlinuz", "vmlinuz-*"), ("initrd", "initrd.img-*")):
            shutil.copy(max((root / "boot").glob(pattern)), folder / kind)
        with (folder / "image").open("wb") as image:
            image.truncate(3 << 30)
        subprocess.run(["mke2fs", "-q", "-t", "ext4", "-d", str(root), str(folder / "image")], check=True)
        shutil.rmtree(root)
        yield VirtualMachine(folder, has_network)
