"""The programs that the image of an export has.

Those of the packages that Debian 12 and 13 require, of ca-certificates, and of Python's slim image. What is of no
interest to a job is left out: mounting, partitions, terminals, logins.
"""

from pathlib import Path

PROGRAMS = frozenset(Path(__file__).with_suffix(".txt").read_text(encoding="ascii").split())
# What a shell does itself.
BUILTINS = {
    ".", ":", "alias", "break", "builtin", "case", "cd", "command", "continue", "declare", "done", "echo", "esac",
    "eval", "exec", "exit", "export", "false", "fi", "for", "function", "getopts", "hash", "in", "kill", "let", "local",
    "printf", "pwd", "read", "readonly", "return", "select", "set", "shift", "source", "test", "trap", "true", "type",
    "ulimit", "umask", "unset", "wait", "[", "[[", "]]", "}",
}  # fmt: skip
# Programs whose argument is another command.
PREFIXES = {
    "sudo", "nice", "ionice", "nohup", "env", "exec", "command", "time", "timeout", "setsid", "chronic", "stdbuf",
    "xargs", "flock",
}  # fmt: skip
