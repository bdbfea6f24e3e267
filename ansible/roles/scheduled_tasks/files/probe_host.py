"""Print a JSON description of the host, with the problems that prevent it from holding a release. Runs on the host.

Reads only, changes nothing, and needs only Python, even a version that is too old for a release.
"""

import argparse
import ctypes
import glob
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
SOCKET_FOLDER = "/run/postgresql"
PAGE_UNITS = ("/etc/systemd/system/clocks-page.socket", "/etc/systemd/system/clocks-page.service")
PAGE_GROUP = "clocks-page"
OLDEST_PYTHON = (3, 11)


def main():
    """Probe the host and print the description."""
    parser = argparse.ArgumentParser()
    for option in (
        "release",
        "opt",
        "etc",
        "user",
        "database",
        "local-database",
        "page",
        "minimum-mb",
        "managed-files",
    ):
        parser.add_argument("--" + option)
    options = parser.parse_args()
    release = "{}-py{}.{}".format(options.release, *sys.version_info[:2])
    config = os.path.join(options.etc, "config.toml")
    current_config = os.path.realpath(config) if os.path.islink(config) else ""
    description = {
        "problems": list(problems(options)),
        "families": families(),
        "synchronised": is_synchronised(),
        "has_local_database": os.path.exists(SOCKET_FOLDER + "/.s.PGSQL.5432"),
        "release": release,
        "release_is_complete": os.path.exists(os.path.join(options.opt, "releases", release, ".complete")),
        "current_config": current_config,
        "current_config_is_intact": matches_its_name(current_config),
        "release_count": len(os.listdir(options.opt + "/releases")) if os.path.isdir(options.opt + "/releases") else 0,
        "has_user": has_user(options.user),
        "page": page(),
        "differs": [file["path"] for file in json.loads(options.managed_files) if differs(**file)],
    }
    print(json.dumps(description))


def problems(options):
    """Yield every problem, each with what to do about it."""
    if os.geteuid() != 0:
        yield "Only root can write units, users and /etc: run the play as root or let it become root (-K asks)."
    if not os.path.isdir("/run/systemd/system"):
        yield "This host does not run systemd, which the timers require."
    elif systemd_version() < OLDEST_SYSTEMD:
        yield "The timers need systemd 252 or newer (as in Debian 12); this host has {}.".format(systemd_version())
    if sys.version_info < OLDEST_PYTHON:
        yield "Releases need Python 3.11 or newer; {} is {}.{}: set scheduled_tasks_python to another one.".format(
            sys.executable, *sys.version_info[:2]
        )
    for path in (options.opt, options.etc):
        if free_mb(path) < int(options.minimum_mb):
            yield "{} MB are free at {}, but {} are required (scheduled_tasks_minimum_free_mb): free space.".format(
                free_mb(path), path, options.minimum_mb
            )
    yield from clashes(options.opt, options.user, PAGE_UNITS if options.page == "yes" else ())
    if options.local_database == "yes":
        yield from local_database_problems()
    error = database_error(options.database)
    if error:
        yield (
            "PostgreSQL at {} can't be reached from this host: {}. Check firewalls, its listen_addresses, and "
            "scheduled_tasks_database_url."
        ).format(options.database, error)


def systemd_version():
    """Return the major version of systemd; 0 if it is not installed."""
    try:
        return int(subprocess.check_output(["systemctl", "--version"]).split()[1])
    except (OSError, subprocess.CalledProcessError, IndexError, ValueError):
        return 0


def families():
    """Return the distribution and its ancestors: `debian`, or `ubuntu`, `debian`."""
    release = {}
    if os.path.exists("/etc/os-release"):
        with open("/etc/os-release") as file:
            release = dict(line.strip().replace('"', "").split("=", 1) for line in file if "=" in line)
    return [release.get("ID", "unknown")] + release.get("ID_LIKE", "").split()


def free_mb(path):
    """Return the free megabytes of the disk that holds a path, or will hold it."""
    while not os.path.exists(path):
        path = os.path.dirname(path)
    return shutil.disk_usage(path).free // 1000000


def is_synchronised():
    """Whether the kernel considers its clock synchronised, see adjtimex(2)."""
    timex = (ctypes.c_long * 64)()  # larger than the struct; all zero, so nothing is set
    state = ctypes.CDLL(None).adjtimex(ctypes.byref(timex))
    # `status` follows `modes`, `offset`, `freq`, `maxerror` and `esterror`, each as wide as a long with its padding.
    status = timex[5] & 0xFFFFFFFF
    return state >= 0 and not status & NOT_SYNCHRONISED


def differs(path, mode=None, sha256=None, target=None):
    """Whether a path isn't as wanted.

    With a target a link to it; otherwise root's file with that content, root's folder (no sha256), or absent (no mode).
    """
    if target is not None:
        return not os.path.islink(path) or os.readlink(path) != target
    try:
        status = os.lstat(path)
    except OSError:
        return mode is not None
    if mode is None or (status.st_uid, status.st_gid, stat.S_IMODE(status.st_mode)) != (0, 0, int(mode, 8)):
        return True
    if sha256 is None:
        return not stat.S_ISDIR(status.st_mode)
    return not stat.S_ISREG(status.st_mode) or hash_of(path) != sha256


def matches_its_name(config):
    """Whether a configuration is unchanged: its name has the hash of its content."""
    match = re.search(r"config-([0-9a-f]{12})[.]toml$", config)
    if not match or not os.path.exists(config):
        return False
    sha256 = hash_of(config)
    return sha256.startswith(match.group(1)) and not differs(config, "0644", sha256)


def hash_of(path):
    """Return the SHA-256 of a file's content."""
    with open(path, "rb") as file:
        return hashlib.sha256(file.read()).hexdigest()


def has_user(user):
    """Whether the user exists, or none is wanted."""
    try:
        return not user or bool(pwd.getpwnam(user))
    except KeyError:
        return False


def page():
    """Describe the page's units and group: whether the role wrote them, whether the socket listens, and the members."""
    is_active = subprocess.call(["systemctl", "is-active", "--quiet", "clocks-page.socket"]) == 0
    is_enabled = os.path.islink("/etc/systemd/system/sockets.target.wants/clocks-page.socket")
    try:
        members = sorted(grp.getgrnam(PAGE_GROUP).gr_mem)
    except KeyError:
        members = None
    return {
        "is_ours": any(is_ours(path) for path in PAGE_UNITS),
        "listens": is_active and is_enabled,
        "has_group": members is not None,
        "members": members or [],
    }


def is_ours(path):
    """Whether the role wrote a file."""
    try:
        with open(path, errors="replace") as file:
            return MARK in file.read()
    except OSError:
        return False


def clashes(opt, user, units):
    """Yield foreign files with one of the role's names, and a user that jobs must not have."""
    for path in ("/usr/local/bin/clocks", "/usr/local/bin/run-task", *units):
        if os.path.exists(path) and not is_ours(path):
            yield "{} exists and is not the role's: move it away.".format(path)
    current = os.path.join(opt, "current")
    if os.path.exists(current) and not os.path.islink(current):
        yield "{} exists and is not a link: move it away.".format(current)
    if user and has_user(user) and pwd.getpwnam(user).pw_uid == 0:
        yield "scheduled_tasks_user is {}, and root's jobs could change anything: name another user.".format(user)


def local_database_problems(sockets=SOCKET_FOLDER, clusters="/etc/postgresql"):
    """Yield why Debian's PostgreSQL on this host does not have, or would not get, its usual port."""
    ports = {path.rpartition(".")[2] for path in glob.glob(sockets + "/.s.PGSQL.*") if not path.endswith(".lock")}
    for path in glob.glob(clusters + "/*/*/postgresql.conf"):
        with open(path) as file:
            ports.update(re.findall(r"(?m)^\s*port\s*=\s*(\d+)", file.read()) or ["5432"])
    if ports and "5432" not in ports:
        found = "PostgreSQL on this host has port {}".format(", ".join(sorted(ports)))
    elif not ports and not database_error("127.0.0.1:5432"):
        found = "Another program has port 5432, so Debian's PostgreSQL would get another one"
    else:
        return
    yield (
        "{}, but scheduled_tasks_postgresql_local uses 5432: set scheduled_tasks_postgresql_local to false and "
        "scheduled_tasks_database_url and scheduled_tasks_operators_database_url to that PostgreSQL, or let it have "
        "port 5432 ('pg_lsclusters' lists the clusters)."
    ).format(found)


def database_error(address):
    """Return why HOST:PORT does not accept connections; "" if it does."""
    if not address:
        return ""
    host, _, port = address.rpartition(":")
    try:
        socket.create_connection((host, int(port)), timeout=10).close()
    except OSError as error:
        return str(error)
    return ""


main()
