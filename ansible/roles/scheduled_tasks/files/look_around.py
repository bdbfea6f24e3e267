"""On the host: what it is, and what keeps it from holding a release, as JSON on standard output.

Looks, and changes nothing. Needs nothing but Python, also one that is too old.
"""

import argparse
import ctypes
import grp
import hashlib
import json
import os
import pwd
import re
import shutil
import socket
import stat
import subprocess
import sys

NOT_SYNCHRONISED = 0x40  # STA_UNSYNC of adjtimex(2)
MARK = "Written by Ansible, the role scheduled_tasks"
OLDEST_SYSTEMD = 252
OLDEST_PYTHON = (3, 11)
FIRST_PERSON = 1000  # the first uid that isn't a system user's, on Debian


def main():
    """Looks around."""
    parser = argparse.ArgumentParser()
    for option in ("release", "opt", "etc", "user", "passwd", "database", "wanted-mb", "wished"):
        parser.add_argument("--" + option)
    asked = parser.parse_args()
    release = "{}-py{}.{}".format(asked.release, *sys.version_info[:2])
    config = os.path.join(asked.etc, "config.toml")
    in_force = os.path.realpath(config) if os.path.islink(config) else ""
    answers = {
        "problems": list(problems(asked)),
        "families": families(),
        "synchronised": is_synchronised(),
        "has_local_database": os.path.exists("/run/postgresql/.s.PGSQL.5432"),
        "release": release,
        "complete": os.path.exists(os.path.join(asked.opt, "releases", release, ".complete")),
        "in_force": in_force,
        "in_force_is_intact": is_as_named(in_force),
        "releases": len(os.listdir(asked.opt + "/releases")) if os.path.isdir(asked.opt + "/releases") else 0,
        "has_user": has_user(asked.user, asked.passwd),
        "differs": [each["path"] for each in json.loads(asked.wished) if differs(**each)],
    }
    print(json.dumps(answers))


def problems(asked):
    """All that is in the way, each with what to do."""
    if os.geteuid() != 0:
        yield "Units, users and /etc can only be written by root: run the play as root or let it become root (-K asks)."
    if not os.path.isdir("/run/systemd/system"):
        yield "systemd is not this host's init: the timers are its."
    elif systemd_version() < OLDEST_SYSTEMD:
        yield "The timers need systemd 252 or newer (Debian 12 has it), and here is {}.".format(systemd_version())
    if sys.version_info < OLDEST_PYTHON:
        yield "Releases need Python 3.11 or newer, and {} is {}.{}: name another one in scheduled_tasks_python.".format(
            sys.executable, *sys.version_info[:2]
        )
    for path in (asked.opt, asked.etc):
        if free_mb(path) < int(asked.wanted_mb):
            yield "{} MB are free at {}, and {} are wanted (scheduled_tasks_minimum_free_mb): make room.".format(
                free_mb(path), path, asked.wanted_mb
            )
    yield from clashes(asked.opt, asked.user)
    error = database_error(asked.database)
    if error:
        yield (
            "PostgreSQL at {} can't be reached from this host: {}. Look at firewalls, at its listen_addresses, and at "
            "scheduled_tasks_database_url."
        ).format(asked.database, error)


def systemd_version():
    """The number of systemd's version; 0 where there is none."""
    try:
        return int(subprocess.check_output(["systemctl", "--version"]).split()[1])
    except (OSError, subprocess.CalledProcessError, IndexError, ValueError):
        return 0


def families():
    """The distribution and those it comes from: `debian`, or `ubuntu`, `debian`."""
    said = {}
    if os.path.exists("/etc/os-release"):
        with open("/etc/os-release") as file:
            said = dict(line.strip().replace('"', "").split("=", 1) for line in file if "=" in line)
    return [said.get("ID", "unknown")] + said.get("ID_LIKE", "").split()


def free_mb(path):
    """Megabytes free where a path is, or will be."""
    while not os.path.exists(path):
        path = os.path.dirname(path)
    return shutil.disk_usage(path).free // 1000000


def is_synchronised():
    """Whether the kernel holds its clock for right, as adjtimex(2) says."""
    timex = (ctypes.c_long * 64)()  # larger than its struct; all zero: nothing is set
    state = ctypes.CDLL(None).adjtimex(ctypes.byref(timex))
    # `status` follows `modes`, `offset`, `freq`, `maxerror` and `esterror`, each as wide as a long with its padding.
    status = timex[5] & 0xFFFFFFFF
    return state >= 0 and not status & NOT_SYNCHRONISED


def differs(path, mode=None, sha256=None):
    """Whether a path isn't root's file with that content, root's folder (no sha256), or nothing at all (no mode)."""
    try:
        found = os.lstat(path)
    except OSError:
        return mode is not None
    if mode is None or (found.st_uid, found.st_gid, stat.S_IMODE(found.st_mode)) != (0, 0, int(mode, 8)):
        return True
    if sha256 is None:
        return not stat.S_ISDIR(found.st_mode)
    return not stat.S_ISREG(found.st_mode) or hash_of(path) != sha256


def is_as_named(config):
    """Whether a configuration is what it was made as: its name has the hash of its content."""
    named = re.search(r"config-([0-9a-f]{12})[.]toml$", config)
    if not named or not os.path.exists(config):
        return False
    sha256 = hash_of(config)
    return sha256.startswith(named.group(1)) and not differs(config, "0644", sha256)


def hash_of(path):
    """The SHA-256 of a file's content."""
    with open(path, "rb") as file:
        return hashlib.sha256(file.read()).hexdigest()


def has_user(user, wished):
    """Whether the user is there, with a group of its own, and with comment, home and shell as wished."""
    try:
        found = pwd.getpwnam(user)
        group = grp.getgrgid(found.pw_gid).gr_name
    except KeyError:
        return False
    return group == user and wished == "{}:{}:{}".format(found.pw_gecos, found.pw_dir, found.pw_shell)


def clashes(opt, user):
    """What has one of our names and isn't ours."""
    command = "/usr/local/bin/clocks"
    if os.path.exists(command):
        with open(command, errors="replace") as file:
            if MARK not in file.read():
                yield "{} is there and not the role's: move it away.".format(command)
    current = os.path.join(opt, "current")
    if os.path.exists(current) and not os.path.islink(current):
        yield "{} is there and no link: move it away.".format(current)
    try:
        uid = pwd.getpwnam(user).pw_uid
    except KeyError:
        return
    if uid == 0 or uid >= FIRST_PERSON:
        yield "The user {} is there and no system user (uid {}): give that one another name.".format(user, uid)


def database_error(address):
    """Why nothing answers at HOST:PORT; "" where something does."""
    if not address:
        return ""
    host, _, port = address.rpartition(":")
    try:
        socket.create_connection((host, int(port)), timeout=10).close()
    except OSError as error:
        return str(error)
    return ""


main()
