"""The sign of each status, as an inline SVG: a shape of its own, so that no status is told by its colour alone."""

from __future__ import annotations

from markupsafe import Markup

# Paths in a square of 16; each is drawn with a stroke of the text's colour.
_RING = '<circle cx="8" cy="8" r="6.2"/>'
_SHAPES = {
    "ended": f'{_RING}<path d="m5.2 8.3 2 2 3.7-4.3"/>',
    "ok": f'{_RING}<path d="m5.2 8.3 2 2 3.7-4.3"/>',
    **dict.fromkeys(("failed", "bad", "failing"), f'{_RING}<path d="m5.7 5.7 4.6 4.6m0-4.6-4.6 4.6"/>'),
    "missed": '<circle cx="8" cy="8" r="6.2" stroke-dasharray="2.6 2.27"/>',
    "lost": f'{_RING}<path d="M6 6.3a2 2 0 1 1 2.8 1.9c-.6.3-.8.6-.8 1.2M8 11.6v.1"/>',
    "started": f'{_RING}<path d="M6.7 5.6v4.8L10.6 8z" fill="currentColor" stroke="none"/>',
    "running": f'{_RING}<path d="M6.7 5.6v4.8L10.6 8z" fill="currentColor" stroke="none"/>',
    "skipped": f'{_RING}<path d="M3.8 12.2 12.2 3.8"/>',
    "paused": f'{_RING}<path d="M6.4 5.8v4.4m3.2-4.4v4.4"/>',
    "new": _RING,
    "late": f'{_RING}<path d="M8 4.6V8l2.3 1.6"/>',
    "slow": f'{_RING}<path d="M8 4.6V8l2.3 1.6"/>',
    "short": f'{_RING}<path d="M8 4.6V8l-2.3 1.6"/>',
    "silent": '<path d="M2 8h3l1.6-3.6L9 11.6 10.6 8H11m1.6 0h.1m1.2 0h.1"/>',
    "stale": f'{_RING}<path d="M8 4.6V8l2.3 1.6"/>',
    "unsent": '<path d="M2 4.2h12v7.6H2zl6 4.6 6-4.6"/>',
}
# What each status looks like, beside its sign: the class of its colour.
TONES = {
    "ended": "good", "ok": "good", "failed": "bad", "failing": "bad", "bad": "bad", "missed": "missed", "lost": "lost",
    "started": "running", "running": "running", "skipped": "skipped", "paused": "paused", "new": "skipped",
    "late": "lost", "slow": "lost", "short": "lost", "silent": "bad", "stale": "bad", "unsent": "bad",
}  # fmt: skip


def icon(status: str) -> Markup:
    """The sign of a status, for sighted readers: the word stands beside it."""
    shape = Markup(_SHAPES.get(status, _RING))  # noqa: S704 - our own text
    tone = TONES.get(status, "skipped")
    return Markup('<svg class="icon {}" viewBox="0 0 16 16" aria-hidden="true">{}</svg>').format(tone, shape)
