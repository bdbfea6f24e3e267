"""A domain that can't be imported."""

import shop.there_is_no_such_module  # type: ignore[import-not-found]  # that is the point  # noqa: F401
