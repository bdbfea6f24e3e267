"""Store each version of the credentials in a folder of its own that is never written to again. Runs on the host.

    store_credentials.py ROOT [--check]

The play puts a line before these that sets CREDENTIALS to the base64 of a JSON object, name to value. The script prints
JSON: the folder that has exactly those, and whether it is a new one. Its name is random: a name derived from the
content would show everybody who reads a unit a hash of the secrets. Needs only Python.
"""

import base64
import json
import os
import secrets
import stat
import sys


def main(root, act):
    """Find the folder with these credentials, or create it."""
    wanted = {name: value.encode() for name, value in json.loads(base64.b64decode(CREDENTIALS)).items()}  # noqa: F821 - the play sets it
    entries = sorted(os.listdir(root)) if os.path.isdir(root) else []
    for folder in (os.path.join(root, name) for name in entries):
        if os.path.isdir(folder) and not os.path.islink(folder) and has_exactly(folder, wanted):
            print(json.dumps({"folder": folder, "changed": False}))
            return
    folder = os.path.join(root, secrets.token_hex(6))
    if act:
        write(folder, wanted)
    print(json.dumps({"folder": folder if act else os.path.join(root, "new"), "changed": True}))


def has_exactly(folder, wanted):
    """Whether a folder has exactly these credentials, accessible only to root."""
    if not is_owned_by_root(folder, 0o700) or set(os.listdir(folder)) != set(wanted):
        return False
    paths = {os.path.join(folder, name): value for name, value in wanted.items()}
    return all(is_owned_by_root(path, 0o600) and read(path) == value for path, value in paths.items())


def is_owned_by_root(path, mode):
    """Whether root owns a file or folder, with this mode."""
    status = os.lstat(path)
    return (status.st_uid, status.st_gid, stat.S_IMODE(status.st_mode)) == (0, 0, mode)


def read(path):
    """Return a file's content."""
    with open(path, "rb") as file:
        return file.read()


def write(folder, wanted):
    """Create the folder atomically: it gets its name once everything is on disk."""
    unfinished = folder + ".unfinished"
    os.mkdir(unfinished, 0o700)
    for name, value in wanted.items():
        descriptor = os.open(os.path.join(unfinished, name), os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(value)
            file.flush()
            os.fsync(descriptor)
    os.rename(unfinished, folder)


try:
    main(sys.argv[1], "--check" not in sys.argv[2:])
except OSError as error:
    sys.exit("{}: {}".format(error.filename, error.strerror))
