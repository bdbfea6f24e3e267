"""A virtual machine: a kernel, control groups v2 and a clock of its own, for what a container can't show.

qemu emulates it, since CI has no KVM. Its clock counts the instructions that it executes and jumps over the time that
it would idle (`-icount sleep=off`): an hour of waiting takes half a minute, and what happens in it is the same
however busy the machine is that runs the tests. That machine's own clock is never set.
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

from tests.machine.machine import wait_for
from tests.roots import debian_13, lacking, require

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

REPORT = "/dev/ttyS1"  # a serial line of its own, for the kernel writes on the first
OVER = "over\n"  # what a report ends with
WITHIN = 1500  # seconds of this machine; two minutes is usual, and CI's machine may be a busy one


@dataclass(frozen=True)
class VirtualMachine:
    """A machine that can be booted, switched off and booted again.

    Attributes:
        folder: its disk's image, what it has to say, and its console.
        has_network: whether it reaches this machine's loopback, as 10.0.2.2.
    """

    folder: Path
    has_network: bool = False

    @property
    def report(self) -> str:
        """What it wrote to REPORT since it was last booted."""
        path = self.folder / "report"
        return path.read_text(errors="replace") if path.exists() else ""

    def boot(self, at: datetime | None = None) -> subprocess.Popen[bytes]:
        """Switches it on. Killing the process is a power cut.

        Args:
            at: what its clock says then (UTC). Without one it lives in this machine's time, on two processors.
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

    def cut(self, what: str, is_so: Callable[[], bool], *, seconds: float) -> None:
        """Boots it, waits until something is so, and cuts its power.

        Raises:
            AssertionError: it wasn't within the time; with the ends of its report and its console.
        """
        process = self.boot()
        try:
            wait_for(what, is_so, seconds=seconds)
        except AssertionError as error:
            console = (self.folder / "console").read_text(errors="replace")
            raise AssertionError(f"{error}:\n{self.report[-3000:]}\n{console[-2000:]}") from None
        finally:
            process.kill()
            process.wait()

    def live(self, at: datetime | None = None) -> str:
        """Boots it, waits until it switches itself off, and returns its report.

        Raises:
            AssertionError: it didn't, or not with its report complete; with the end of its console.
        """
        process = self.boot(at)
        try:
            process.wait(WITHIN)
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
        has_network: whether it reaches this machine's loopback, as 10.0.2.2.
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
