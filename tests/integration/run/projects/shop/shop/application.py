"""A plain object as the application; the test chooses what it does when it is made."""

from __future__ import annotations

import logging.config
import os
from collections.abc import Iterator
from dataclasses import dataclass


@dataclass
class Application:
    name: str = "shop"
    unsaved: tuple[str, ...] = ()

    def uncommitted(self) -> Iterator[str]:
        yield from self.unsaved


def create_app() -> Application:
    how = os.environ.get("SHOP_APP", "")
    if how == "raises":
        raise RuntimeError("the shop is closed")
    if how == "configures logging":
        logging.config.dictConfig({
            "version": 1,
            "disable_existing_loggers": True,
            "formatters": {"plain": {"format": "PLAIN %(message)s"}},
            "handlers": {"out": {"class": "logging.StreamHandler", "stream": "ext://sys.stdout", "formatter": "plain"}},
            "root": {"level": "ERROR", "handlers": ["out"]},
        })  # fmt: skip
    return Application()
