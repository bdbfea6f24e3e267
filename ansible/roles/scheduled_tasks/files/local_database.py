"""Create the local database and its roles, and let one of them in by password. Runs on the host, as root.

    local_database.py --role=NAME --database=NAME --socket-folder=PATH [--check] [--absent]

The role is that of the tasks or of the sender of notices. The play puts lines before these that set PASSWORD, the
role's, and SQL, local_database.sql. The script prints JSON: the statements and the line that it wrote, or with --check
would write; with --absent there is no server yet. It needs only Python and psql.
"""

import argparse
import base64
import hashlib
import hmac
import json
import os
import subprocess
import sys
import time

COMMENT = "# Ansible (scheduled_tasks_postgresql_local): its user is made for each run, so this role has a password."
MAX_RELOAD = 30  # seconds until a new line of pg_hba.conf takes effect


def main():
    """Create what is missing, in the database first."""
    parser = argparse.ArgumentParser()
    for option in ("role", "database", "socket-folder"):
        parser.add_argument("--" + option, required=True)
    for option in ("check", "absent"):
        parser.add_argument("--" + option, action="store_true")
    options = parser.parse_args()
    sql = SQL.replace("\\gexec", ";") if options.check else SQL  # noqa: F821 - the play sets it
    done = [sql] if options.absent else as_administrator(options, sql).splitlines()
    if options.absent or login_error(options):
        done += ["the role's password", line_for(options)]
        if not options.check:
            let_in(options)
    print(json.dumps({"done": done}))


def as_administrator(options, sql):
    """Run SQL as PostgreSQL's administrator and return what it prints."""
    # runuser, because a fresh machine has no sudo.
    command = ["runuser", "--user=postgres", "--", "psql", "--no-psqlrc", "--tuples-only", "--no-align"]
    variables = ["--set=ON_ERROR_STOP=1", "--set=role=" + options.role, "--set=database=" + options.database]
    return run([*command, *variables, "--host=" + options.socket_folder, "--dbname=postgres"], sql)


def login_error(options):
    """Why the role can't connect with its password; "" if it can."""
    where = "host={} dbname={} user={}".format(options.socket_folder, options.database, options.role)
    environment = {**os.environ, "PGPASSWORD": PASSWORD}  # noqa: F821 - the play sets it
    command = ["psql", "--no-psqlrc", "--no-password", "--command=SELECT 1", where]
    done = subprocess.run(command, env=environment, cwd="/", capture_output=True, text=True)
    return done.stderr.strip() if done.returncode else ""


def let_in(options):
    """Set the password and write the line that asks for it, then wait until it takes effect."""
    quoted = '"{}"'.format(options.role.replace('"', '""'))
    as_administrator(options, "ALTER ROLE {} PASSWORD '{}'".format(quoted, verifier(PASSWORD)))  # noqa: F821 - the play
    path = os.path.realpath(as_administrator(options, "SHOW hba_file").strip())
    with open(path) as file:
        text = file.read()
    if line_for(options) not in text.splitlines():
        # Before Debian's `local all all peer`: the first line that fits counts.
        write_as_before(path, "{}\n{}\n\n{}".format(COMMENT, line_for(options), text))
    as_administrator(options, "SELECT pg_reload_conf()")
    end = time.monotonic() + MAX_RELOAD
    while True:
        error = login_error(options)
        if not error:
            return
        if time.monotonic() > end:
            sys.exit("{} lets {} in by password, but it can't connect: {}".format(path, options.role, error))
        time.sleep(0.2)


def line_for(options):
    """The line of pg_hba.conf, for this role and this database only."""
    return 'local "{}" "{}" scram-sha-256'.format(options.database, options.role)


def write_as_before(path, text):
    """Replace a file atomically; it keeps its owner and mode."""
    status = os.stat(path)
    unfinished = path + ".unfinished"
    with open(unfinished, "w") as file:
        os.fchmod(file.fileno(), status.st_mode & 0o7777)
        os.fchown(file.fileno(), status.st_uid, status.st_gid)
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    os.rename(unfinished, path)


def verifier(password):
    """What PostgreSQL stores of a password, so that it and its log never have the password (RFC 5803)."""
    salt, iterations = os.urandom(16), 4096
    salted = hashlib.pbkdf2_hmac("sha256", password.encode(), salt, iterations)
    stored = hashlib.sha256(hmac.digest(salted, b"Client Key", "sha256")).digest()
    server = hmac.digest(salted, b"Server Key", "sha256")
    salt64, stored64, server64 = (base64.b64encode(part).decode() for part in (salt, stored, server))
    return "SCRAM-SHA-256${}:{}${}:{}".format(iterations, salt64, stored64, server64)


def run(command, stdin):
    """Run a command and return its output; exit with its error if it fails."""
    done = subprocess.run(command, input=stdin, cwd="/", capture_output=True, text=True)
    if done.returncode != 0:
        sys.exit(done.stderr.replace(PASSWORD, "***"))  # noqa: F821 - the play sets it
    return done.stdout


main()
