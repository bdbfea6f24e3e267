"""What has to be assumed about a crontab's line, because the file doesn't say it: differences for the report.

Whether a line has a user column is known from --format, otherwise from the file's path; then the users of this machine
and of every Debian are evidence for it or against it.
"""

from __future__ import annotations

import pwd
import re
from collections.abc import Iterator

from scheduled_tasks.conversion_report import Difference
from scheduled_tasks.importers.crontab.lines import SYSTEM, USER, Line
from scheduled_tasks.options.validators import SECRET_VALUE

# Of the package base-passwd, which every Debian and Ubuntu has.
DEBIAN_USERS = {
    "root", "daemon", "bin", "sys", "sync", "games", "man", "lp", "mail", "news", "uucp", "proxy", "www-data", "backup",
    "list", "irc", "gnats", "nobody",
}  # fmt: skip
COMMANDS_TOO = {"backup", "list", "mail", "man", "news", "proxy", "sync"}
SIX_FIELDS = re.compile(r"[-*?\d,/L#]+(\s|$)|(mon|tue|wed|thu|fri|sat|sun)\S*\s", re.IGNORECASE)
BACKGROUND = re.compile(r"[^&>]&\s*$")
SECRET = re.compile(r"\b(bearer|basic)\s+\S{8}|(password|passwd|token|secret|api_?key)[=:]\s*[^\s$]", re.IGNORECASE)


def assumptions(line: Line, form: str, *, is_given: bool) -> Iterator[Difference]:
    """What is assumed about one line with a command; `is_given`: whether --format said the file's form."""
    if not is_given:
        yield from _of_the_form(line, form)
    if line.text.endswith("\r"):
        text = "its line ends with a carriage return, which cron passes on with the command; it is left out"
        yield Difference("line", text)
    if SIX_FIELDS.match(line.command):
        text = f"the command begins with {line.command.split()[0]!r}: are there six fields? cron has five"
        yield Difference("fields", text, "refused", instead="leave the seconds or the year out")
    if BACKGROUND.search(line.command):
        text = "it goes to the background, where cron leaves it; here what still runs when its shell ends is stopped"
        yield Difference("background", text, instead="leave the & out")
    if SECRET_VALUE.search(line.command) or SECRET.search(line.command):
        text = "the command seems to contain a secret, and everybody can read a unit"
        yield Difference("secret", text, instead="let the command read it from a file or a credential")


def _of_the_form(line: Line, form: str) -> Iterator[Difference]:
    first = line.command.split()[0]
    if form == USER and _looks_like_a_user(*line.command.split()[:2]):
        text = f"{first} is taken for the command, and is a user here: does the file name a user in each line?"
        yield Difference("user", text, "refused", instead="import with --format system, or with --format user")
    if form != SYSTEM:
        return
    if first.startswith("-"):
        text = f"{line.user} was taken for the user, and then the command would begin with {first}"
        yield Difference("user", text, "refused", instead="import with --format user: the file names no users")
    elif line.user not in DEBIAN_USERS and not _is_user(line.user):
        text = f"{line.user} is taken to be a user, as in files of cron.d, and no user here has that name"
        instead = "with --format user nothing is taken for a user, with --format system it is one"
        yield Difference("user", text, instead=instead)


def _looks_like_a_user(first: str, second: str = "") -> bool:
    """Whether a command in the form of a user's crontab begins with a user and goes on like a command."""
    is_known = first in DEBIAN_USERS or _is_user(first)
    return is_known and (second.startswith("/") or (bool(second) and second[0] != "-" and first not in COMMANDS_TOO))


def _is_user(name: str) -> bool:
    try:
        pwd.getpwnam(name)
    except KeyError:
        return False
    return True
