"""What an option that only the jobs manifest has means for people, in words. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping


def _routes(names: list[str] | None) -> str:
    if names is None:
        return "notices go to the default routes"
    return f"notices go to {', then '.join(names)}" if names else "nobody is told"


def _streak(number: int | None) -> str:
    return (
        "each failed slot is an incident" if (number or 1) == 1 else f"{number} failed slots in a row are an incident"
    )


def _seconds(value: float) -> str:
    for unit, seconds in (("h", 3600), ("min", 60)):
        if value >= seconds and value % seconds == 0:
            return f"{value / seconds:.0f} {unit}"
    return f"{value:g} s"


_WORDS: dict[str, Callable[[Any], str]] = {
    "owner": lambda value: f"notices name {value}" if value else "notices name no owner",
    "notify": _routes,
    "alert_after": _streak,
    "expected_duration": lambda value: f"slow after {_seconds(value)}" if value else "slow by its usual duration",
    "expected_at_least": lambda value: f"too short below {_seconds(value)}" if value else "never too short",
    "quiet": lambda value: f"notices wait from {value.replace('-', ' to ')}" if value else "no quiet hours",
    "runbook": lambda value: f"runbook {value}" if value else "no runbook",
    "ping": lambda value: f"pings {value}" if value else "no pings",
    "catch_up_after_pause": lambda value: f"after a pause {'the last slot runs' if value else 'no blocked slot runs'}",
}


def changed_words(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[tuple[str, str, str]]:
    """Each changed option of a job that no unit has, by the jobs manifests: its name, what it meant and means."""
    return [
        (name, words(before.get(name)), words(after.get(name)))
        for name, words in _WORDS.items()
        if words(before.get(name)) != words(after.get(name))
    ]
