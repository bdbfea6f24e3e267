"""Mask secrets in texts: in log lines, and in what the ledger keeps of an error.

Masked is what looks like a secret (a value named `password`, a header, the user of a URL, a private key), and what this
process was given as one: its credentials, and the variables of its environment with such names. Every pattern takes
linear time, because a task can log anything. decisions/0019-secrets.md says why this is a list of our own.
"""

from __future__ import annotations

import os
import re
from functools import cache
from typing import Any
from urllib.parse import unquote

MASK = "***"
MIN_KNOWN = 6  # characters; a shorter secret, masked wherever it occurs, would hide too much
# In names of values, in either case, with - or nothing in place of _.
WORDS = (
    "password", "passwd", "passwort", "passphrase", "passcode", "pwd", "secret", "token", "credential", "signature",
    "api_key", "access_key", "private_key", "signing_key", "encryption_key", "account_key", "auth_key", "license_key",
)  # fmt: skip
# Without any of these, in lower case, a text is not searched further.
HINTS = (*(word.replace("_", "") for word in WORDS if "_" not in word), "key", "cookie", "authorization", "bearer",
         "basic", "sig=", "code=", "auth=", "akia", "ghp_", "gho_", "ghu_", "ghs_", "ghr_", "github_pat_", "glpat-",
         "xox", "_live_", "_test_", "aiza", "eyj")  # fmt: skip

_NAME = f"(?:{'|'.join(word.replace('_', '[_-]?') for word in WORDS)})"
# The rest of the name (SECRET_ACCESS_KEY), but not `tokens: 512`, `tokenizer=`, `secretary:`, `TokenError:`.
_REST = r"(?!s\W{1,6}\d|i[sz]e|ary)[\w-]{0,40}+(?<!error)(?<!exception)(?<!warning)"
_SEPARATOR = r"""(?:\\?['"]\]?)?\s{0,4}(?:=>|:=|[=:])\s{0,4}+"""
_HARMLESS = (
    r"(?!['\"]?\*\*\*|(?:none|null|true|false|not|is|must|missing|required|invalid|expired|expected|empty|unset|unknown)"
    r"""(?=[\s,;)}\]'"]|\Z))"""
)
_SCHEME = r"(?:(?:bearer|basic|digest|token|negotiate)\s{1,4}+)?+"
# Keys and tokens of AWS, GitHub, GitLab, Slack, Stripe, Google, and JSON web tokens.
_KNOWN_FORMS = (
    r"AKIA[0-9A-Z]{16}|gh[opusr]_\w{30,}|github_pat_\w{30,}|glpat-[\w-]{20,}|xox[abeprs]-[\w-]{10,}"
    r"|[rs]k_(?:live|test)_\w{16,}|AIza[\w-]{35}|eyJ[\w-]{10,}+\.[\w-]{10,}+\.[\w-]*+"
)
# A quoted text, even if its end was cut off, and with escaped quotes if it is part of another; otherwise a word.
_VALUE = _HARMLESS + (
    r"""(?:"(?:[^"\\\n]|\\.)*+"?|'(?:[^'\\\n]|\\.)*+'?|\\"(?:[^"\\\n]|\\[^"])*+(?:\\")?|[^\s,;&'"]++)"""
)
_PATTERNS = (
    rf"(?i)({_NAME}{_REST}{_SEPARATOR}){_VALUE}",
    rf"""(?i)((?<![\w-])--[\w-]{{0,30}}?{_NAME}{_REST}['"]?,?\s{{1,4}}){_VALUE}""",  # an argument of a command
    # Headers, to the end of the line or of the quoted text.
    rf"""(?i)((?:authorization|cookie){_SEPARATOR}\\?+['"]?+{_SCHEME}){_HARMLESS}[^\n'"\\]++""",
    r"((?i:\b(?:bearer|basic))\s{1,4})(?=[\w.~+/-]{0,200}[0-9=]|[\w.~+/-]{1,200}[A-Z])[\w.~+/-]{8,}+=*+",
    r"""(?i)([?&;](?:sig|key|code|auth)=)[^\s&;'"]++""",  # in a URL
    r"(-----BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----)(?s:.*?)(?=-----END |\Z)",
    rf"()(?<![\w-])(?:{_KNOWN_FORMS})",
)


def mask(text: str) -> str:
    """The text with `***` in place of each secret."""
    for secret in _known():
        text = text.replace(secret, MASK)
    if "://" in text:
        text = re.sub(r"""(?i)(https?)?(://)([^\s'"<>]+)""", _without_users, text)
    lower = text.lower()
    if any(hint in lower for hint in HINTS):
        for pattern in _compiled():
            text = pattern.sub(rf"\1{MASK}", text)
    return text


def mask_value(value: Any, name: object = "") -> Any:
    """A value that is logged, with all texts inside it masked; a text whose own name is that of a secret completely."""
    if isinstance(value, str | bytes) and is_name(name):
        return MASK
    if isinstance(value, str):
        return mask(value)
    if isinstance(value, dict):
        return {key: mask_value(inner, key) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [mask_value(inner, name) for inner in value]
    return value


def is_name(name: object) -> bool:
    """Whether a value with this name is a secret."""
    plain = name.lower().replace("-", "").replace("_", "") if isinstance(name, str) else ""
    return any(word.replace("_", "") in plain for word in (*WORDS, "authorization", "cookie"))


@cache
def _compiled() -> tuple[re.Pattern[str], ...]:
    return tuple(map(re.compile, _PATTERNS))  # some milliseconds, which most runs don't pay


@cache
def _known() -> tuple[str, ...]:
    """The secrets that this process was given, the longest first."""
    values = {value for name, value in os.environ.items() if is_name(name) and not value.startswith("/")}
    values.add(os.environ.get("DATABASE_URL", ""))
    if folder := os.environ.get("CREDENTIALS_DIRECTORY"):
        try:
            for file in os.scandir(folder):
                with open(file, encoding="utf-8", errors="replace") as credential:  # noqa: PTH123 - cheaper
                    values.add(credential.read().strip())
        except OSError:  # another program's, or gone
            pass
    for url in [value for value in values if "://" in value]:
        user, _, password = url.partition("://")[2].rpartition("@")[0].partition(":")
        values |= {password, unquote(password)} - {user}
    return tuple(sorted((value for value in values if len(value) >= MIN_KNOWN), key=len, reverse=True))


def _without_users(match: re.Match[str]) -> str:
    """What follows `://`, without passwords; it may have other URLs in it, such as the parameter of a redirection."""
    is_http, masked = bool(match[1]), []
    for part in match[3].split("://"):
        masked.append(_without_user(part, is_http=is_http))
        is_http = part.lower().endswith(("http", "https"))
    return f"{match[1] or ''}://{'://'.join(masked)}"


def _without_user(rest: str, *, is_http: bool) -> str:
    """The rest of a URL without its password; of an HTTP URL without the user, who may be a token."""
    authority = re.split("[/?#]", rest, maxsplit=1)[0]
    has_port_only = authority.startswith("[") or ":" not in authority or authority.rpartition(":")[2].isdecimal()
    # A password with an @ of its own ends at the last one; with one of / ? # it is longer than the authority.
    if "@" in authority and is_http:
        user = authority.rpartition("@")[0]
    elif "@" in authority or not has_port_only:
        user = rest.rpartition("@")[0]
    else:
        user = ""
    if not user:
        return rest
    name, colon, _ = user.partition(":")
    return (f"{name}:{MASK}" if colon else MASK if is_http else user) + rest[len(user) :]
