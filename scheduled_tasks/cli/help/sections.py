"""Groups of commands whose --help cuts no summary off, and can list them by what they are for."""

from __future__ import annotations

from collections.abc import Mapping

import click

MAX_SUMMARY = 1000  # characters: none is cut; a long one takes several lines


class Group(click.Group):
    """A group of commands."""

    def sections(self, ctx: click.Context) -> Mapping[str, list[str]]:
        """The names of the commands to list, by heading."""
        return {"Commands": self.list_commands(ctx)}

    def summary(self, ctx: click.Context, name: str) -> str:
        """The first sentence about a command; "" if it is hidden."""
        command = self.get_command(ctx, name)
        return "" if command is None or command.hidden else command.get_short_help_str(MAX_SUMMARY)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write each section, with the summaries of all in one column."""
        sections = self.sections(ctx)
        longest = max(len(name) for names in sections.values() for name in names)
        for heading, names in sections.items():
            rows = [(name.ljust(longest), summary) for name in names if (summary := self.summary(ctx, name))]
            with formatter.section(heading):
                formatter.write_dl(rows)
