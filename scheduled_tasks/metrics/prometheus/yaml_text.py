"""Texts as YAML, without a library: each JSON string is a YAML string too."""

from __future__ import annotations

import json


def quoted(text: str) -> str:
    """A text in quotes."""
    return json.dumps(text, ensure_ascii=False)
