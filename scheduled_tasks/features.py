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
