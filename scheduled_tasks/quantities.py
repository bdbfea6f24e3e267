"""Write numbers, durations and bytes for people. Programs get the plain number, in seconds or bytes."""

from __future__ import annotations

MINUTE, HOUR, DAY = 60, 3600, 86400  # seconds
UNITS = ("B", "KiB", "MiB", "GiB", "TiB", "PiB")  # each 1024 of the one before


def counted(number: int, noun: str, plural: str = "") -> str:
    """A number with its noun: 0 jobs, 1 job, 2 jobs; `plural` if it is not the noun with an s."""
    return f"{number:,} {noun if number == 1 else plural or noun + 's'}"


def duration(seconds: float) -> str:
    """A duration in its two largest units: 0.4 s, 42 s, 3 min 20 s, 2 h 5 min, 3 d 4 h."""
    if seconds < 0:
        return f"-{duration(-seconds)}"
    if seconds < 10:  # noqa: PLR2004 - a tenth of a second matters only then
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < MINUTE:
        return f"{whole} s"
    for unit, name, smaller, smaller_name in (
        (DAY, "d", HOUR, "h"),
        (HOUR, "h", MINUTE, "min"),
        (MINUTE, "min", 1, "s"),
    ):
        if whole >= unit:
            number, rest = whole // unit, whole % unit // smaller
            return f"{number} {name} {rest} {smaller_name}" if rest else f"{number} {name}"
    raise AssertionError(seconds)


def distance(seconds: float) -> str:
    """How far away something is, in one unit: 40 s, 54 min, 22 h, 3 d."""
    whole = round(abs(seconds))
    for unit, name, up_to in ((1, "s", 100), (MINUTE, "min", 100 * MINUTE), (HOUR, "h", 48 * HOUR)):
        if whole < up_to:
            return f"{round(whole / unit)} {name}"
    return f"{round(whole / DAY)} d"


def relative(seconds: float) -> str:
    """How far away something is from now, in one unit: in 22 h, 6 min ago, now."""
    if abs(seconds) < 1:
        return "now"
    return f"in {distance(seconds)}" if seconds > 0 else f"{distance(seconds)} ago"


def size(number: int) -> str:
    """A number of bytes, in the units of systemd's MemoryMax= (1024 bytes each): 512 B, 29.5 MiB, 2 GiB."""
    power = max(number.bit_length() - 1, 0) // 10
    return f"{number / 1024**power:.1f}".removesuffix(".0") + f" {UNITS[power]}"
