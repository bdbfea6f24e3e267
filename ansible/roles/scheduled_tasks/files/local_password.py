"""Print the password of a role in the local PostgreSQL; create it if it does not exist. Runs on the host.

    local_password.py FILE [--check]

Jobs, and the sender of notices, have users of their own, so PostgreSQL can't tell by the user that one connects.
Prints JSON: the password, and whether it is a new one. Needs only Python.
"""

import json
import os
import secrets
import sys


def main(path, act):
    """Print the password in the file, or a new one that is then in it."""
    try:
        with open(path) as file:
            print(json.dumps({"password": file.read(), "changed": False}))
            return
    except FileNotFoundError:
        password = secrets.token_urlsafe(32)
    if act:
        unfinished = path + ".unfinished"
        descriptor = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "w") as file:
            file.write(password)
            file.flush()
            os.fsync(descriptor)
        os.rename(unfinished, path)
    print(json.dumps({"password": password, "changed": True}))


try:
    main(sys.argv[1], "--check" not in sys.argv[2:])
except OSError as error:
    sys.exit("{}: {}".format(error.filename, error.strerror))
