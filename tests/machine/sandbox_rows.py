"""The rows of docs/reference/sandbox.md, and for each a script that does what the row says.

A script's exit code is that of its last command. `""` as an option is the default sandbox.
"""

from __future__ import annotations

from typing import NamedTuple


class Row(NamedTuple):
    """A script, the program that it needs, and the expected exit code with each option of a job."""

    script: str
    expected: dict[str, int]
    program: str = "sh"


JIT = "use POSIX; exit(syscall(9, 0, 4096, 7, 0x22, -1, 0) == -1)"  # x86-64's mmap of memory to write and execute
NETLINK = "use Socket; socket(my $s, 16, SOCK_RAW, 0) or exit 1"
ROWS = {
    "writes to its home, its cache, `/tmp` or `/dev/shm`": Row(
        'set -e; test "$PWD" -ef "$HOME"; for folder in . ~/.cache "$XDG_CACHE_HOME/a" /tmp/b /dev/shm/c; do '
        'mkdir -p "$folder"; echo x >"$folder/x"; done',
        {"": 0, 'user="shared"': 0},
    ),
    "writes anywhere else": Row("echo x >/srv/free/x", {"": 2, 'read_write_paths=["/srv/free"]': 0}),
    "uses processes of its own, pipes and shared memory": Row(
        "echo x | cat | grep -q x && echo x >/dev/shm/x", {"": 0}
    ),
    "copies and packs files (`cp -a`, `tar`)": Row(
        "cd $(mktemp -d) && mkdir a b && echo x >a/x && cp -a a b && tar cf - a | tar xf - -C b", {"": 0}
    ),
    "writes to syslog (`logger`)": Row("logger tried", {"": 0}, "logger"),
    "uses git with files or HTTPS": Row(
        "cd $(mktemp -d) && git init -q r && git -C r -c user.name=x -c user.email=x commit -q --allow-empty -m x"
        " && git clone -q r s",
        {"": 0},
        "git",
    ),
    "runs node": Row("node -e 'console.log(1)'", {"": 133, 'relax=["jit"]': 0}, "node"),
    "uses the socket of docker": Row(
        "perl -MIO::Socket::UNIX -e 'IO::Socket::UNIX->new(\"/run/docker.sock\") or exit 1'",
        {"": 1, 'user="docking"': 0},
    ),
    "reads `/proc/meminfo`; looks at processes (`ps`, `free`, psutil)": Row(
        "read -r x </proc/meminfo", {"": 2, 'relax=["processes"]': 0}
    ),
    "sets a priority or an affinity (`nice`, `taskset`)": Row("perl -e 'setpriority(0, 0, 5) or exit 1'", {"": 1}),
    "changes the owner of a file (`chown`, `chgrp`)": Row("touch ~/x && chgrp $(id -g) ~/x", {"": 1}),
    "runs `sudo`, `su` or another program with more rights": Row(
        "grep -q '^NoNewPrivs:.1' /proc/self/status && ! su -c true root </dev/null", {"": 0}, "su"
    ),
    "makes a sandbox or container of its own (`unshare`, `bwrap`)": Row("unshare --ipc true", {"": 1}, "unshare"),
    "lists network interfaces": Row(f"perl -e '{NETLINK}'", {"": 1, 'relax=["netlink"]': 0}),
    "makes memory executable": Row(f"perl -e '{JIT}'", {"": 1, 'relax=["jit"]': 0}),
}
BY_HAND = {
    "looks up a name (DNS)",
    "opens a TLS connection",
    "sends mail by SMTP to localhost",
    "sends mail by Postfix's `sendmail`",
    "uses ssh, or git over ssh",
    "uses numba",
    "uses matplotlib",
    "runs java",
    "runs headless Chromium",
}
