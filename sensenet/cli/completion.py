"""Writes the scripts with which shells complete command lines, by shtab."""

from __future__ import annotations

import argparse

from sensenet.errors import SensenetError

PATHS = frozenset(
    {
        *("CSV", "DATA", "DIR", "DOCUMENT", "FOLDER", "INPUT", "MODEL", "PATH", "ROW", "TABLE", "TRAINED"),
        "[NAME[:VERSION]=]MODEL",
    }
)
"""The metavars of arguments that are paths of files, or mostly."""

REPEATED = {
    "zsh": {'\n  "(*):': '\n  "*:'},
    "tcsh": {"'p/*/()/'": "'p/*/f/'"},
}
"""Shell → text that shtab 1.13 writes → one that completes arguments each time that they are repeated."""


def write_completion(parser: argparse.ArgumentParser, shell: str) -> str:
    """Return a script that completes the subcommands, options, choices and paths of a parser.

    Raises SensenetError without shtab.
    """
    try:
        import shtab
    except ImportError as error:
        raise SensenetError("completion needs the package 'shtab': pip install shtab") from error
    _prepare(parser)
    script: str = shtab.complete(parser, shell)
    for written, wanted in REPEATED.get(shell, {}).items():
        script = script.replace(written, wanted)
    return script


def _prepare(parser: argparse.ArgumentParser) -> None:
    """Mark arguments that are paths, and make lists of choices: shtab takes a dict for subcommands."""
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for each in action.choices.values():
                _prepare(each)
            continue
        if action.metavar in PATHS:
            action.complete = "file"  # type: ignore[attr-defined]
        if action.choices is not None:
            action.choices = list(action.choices)
