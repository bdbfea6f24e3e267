"""The shop of the operators' tests, whose three jobs are deployed on one host."""

from __future__ import annotations

from tests.integration.operate.conftest import hour

__all__ = ["hour"]
