"""clocks install-help: write man pages and shell completion where man and the shells look for them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from scheduled_tasks.cli.help import completion, manual
from scheduled_tasks.cli.options import check_option, json_option
from scheduled_tasks.cli.output import exit_if_pending, show_json

if TYPE_CHECKING:
    from collections.abc import Mapping

# Below /usr/local/share or ~/.local/share; zsh alone does not look in the latter (docs/how-to/deploy.md).
COMPLETIONS = {
    "bash": "bash-completion/completions/clocks",
    "zsh": "zsh/site-functions/_clocks",
    "fish": "fish/vendor_completions.d/clocks.fish",
}


def help_files() -> Mapping[str, str]:
    """The texts by their paths below the share directory."""
    from scheduled_tasks.cli.commands import main

    pages = {f"man/man1/{name}": text for name, text in manual.pages(main).items()}
    return pages | {path: completion.source(shell) for shell, path in COMPLETIONS.items()}


@click.command("install-help")
@click.argument("directory", type=click.Path(path_type=Path, file_okay=False))
@check_option
@json_option
def install_help(directory: Path, *, check: bool, as_json: bool) -> None:
    """Write man pages and shell completion into DIRECTORY.

    /usr/local/share is for all users of a machine; the Ansible role writes there. ~/.local/share is for one user.

    Completes commands, options, clocks, jobs, flags and runs in bash, zsh and fish.
    """
    changed = [
        directory / path
        for path, text in help_files().items()
        if not (directory / path).is_file() or (directory / path).read_text(encoding="utf-8") != text
    ]
    if not check:
        for path, text in help_files().items():
            (directory / path).parent.mkdir(parents=True, exist_ok=True)
            (directory / path).write_text(text, encoding="utf-8")
    if as_json:
        show_json({"changed": bool(changed), "files": list(map(str, changed))})
    else:
        verb = "would write" if check else "wrote"
        click.echo("\n".join(f"{verb} {path}" for path in changed) or "already up to date")
    exit_if_pending(changes=bool(changed), check=check)


COMMANDS = (install_help,)
