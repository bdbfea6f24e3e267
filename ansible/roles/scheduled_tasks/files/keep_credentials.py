"""On the host: keeps credentials, each version of them in a folder of its own that is never written to again.

    keep_credentials.py ROOT [--check]

In comes, as CREDENTIALS in a line before these, the base64 of a JSON object, name to value; out goes JSON: the folder
that has just those, and whether it is a new one. Its name is drawn by lot: one made of what is in it would tell
everybody who reads a unit a hash of the secrets. Needs nothing but Python.
"""

import base64
import json
import os
import secrets
import stat
import sys


def main(root, act):
    """Finds the folder, or makes it."""
    wanted = {name: value.encode() for name, value in json.loads(base64.b64decode(CREDENTIALS)).items()}  # noqa: F821 - see above
    entries = sorted(os.listdir(root)) if os.path.isdir(root) else []
    for folder in (os.path.join(root, name) for name in entries):
        if os.path.isdir(folder) and not os.path.islink(folder) and holds(folder, wanted):
            print(json.dumps({"folder": folder, "changed": False}))
            return
    folder = os.path.join(root, secrets.token_hex(6))
    if act:
        write(folder, wanted)
    print(json.dumps({"folder": folder if act else os.path.join(root, "new"), "changed": True}))


def holds(folder, wanted):
    """Whether a folder has these credentials and no others, all of them root's alone."""
    if not is_roots(folder, 0o700) or set(os.listdir(folder)) != set(wanted):
        return False
    paths = {os.path.join(folder, name): value for name, value in wanted.items()}
    return all(is_roots(path, 0o600) and read(path) == value for path, value in paths.items())


def is_roots(path, mode):
    """Whether a file or folder is root's, and has the mode."""
    found = os.lstat(path)
    return (found.st_uid, found.st_gid, stat.S_IMODE(found.st_mode)) == (0, 0, mode)


def read(path):
    """A file's content."""
    with open(path, "rb") as file:
        return file.read()


def write(folder, wanted):
    """Makes the folder whole: it has its name once all is on the disk."""
    unfinished = folder + ".unfinished"
    os.mkdir(unfinished, 0o700)
    for name, value in wanted.items():
        number = os.open(os.path.join(unfinished, name), os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(number, "wb") as file:
            file.write(value)
            file.flush()
            os.fsync(number)
    os.rename(unfinished, folder)


try:
    main(sys.argv[1], "--check" not in sys.argv[2:])
except OSError as error:
    sys.exit("{}: {}".format(error.filename, error.strerror))
