"""What a member of a project's enum of feature flags holds. Every run imports this module, and it imports nothing."""

from __future__ import annotations


class Feature:
    """What a flag switches, in a sentence, and its state until an operator sets another.

    Compared by identity: Enum makes members with equal values one member.

    Attributes:
        description: shown to the operator who has to decide at night.
        default: whether it is active until somebody switches it.
    """

    __slots__ = ("default", "description")

    def __init__(self, description: str, *, default: bool = True) -> None:
        self.description = description
        self.default = default
