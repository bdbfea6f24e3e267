"""The value of a member of a project's enum of feature flags. Every run imports this module, so it imports nothing."""

from __future__ import annotations


class Feature:
    """A feature flag: what it switches, and its default state.

    Compared by identity: Enum makes members with equal values one member.

    Attributes:
        description: shown to the operator who has to decide at night.
        default: whether it is active until an operator switches it.
    """

    __slots__ = ("default", "description")

    def __init__(self, description: str, *, default: bool = True) -> None:
        self.description = description
        self.default = default


def explain_unknown(error: BaseException) -> str:
    """What to write, if an exception means that a flag is used which the enum of flags doesn't have; otherwise ""."""
    if not isinstance(error, AttributeError) or not isinstance(error.obj, type):
        return ""
    import inspect  # only an error needs these
    from difflib import get_close_matches
    from enum import Enum

    enum, name = error.obj, error.name or ""
    members = enum.__members__ if issubclass(enum, Enum) else {}
    if not any(isinstance(member.value, Feature) for member in members.values()):
        return ""
    near = get_close_matches(name, members, n=1)
    lines, first = inspect.getsourcelines(enum)
    place = f"{inspect.getsourcefile(enum)}:{first + len(lines) - 1}"
    instead = f"write {near[0]}, or " if near else ""
    return f"the flag {name} is not in {enum.__name__}: {instead}add {name} = Feature('what it switches') after {place}"
