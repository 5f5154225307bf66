"""The parser of every command: one style of help, and the nearest name for a misspelled one."""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Sequence
from typing import Any, NoReturn

from sensenet.plain_text import short_line
from sensenet.suggestions import suggest

SHORT = re.compile("-[A-Za-z]")
"""The start of a short option."""


class CommandParser(argparse.ArgumentParser):
    """Parses a command line; `epilog` has examples, in which `%(prog)s` is the command.

    The error for an unknown option or choice suggests the nearest known one.
    """

    def __init__(self, prog: str, description: str, epilog: str = "", **options: Any) -> None:
        super().__init__(
            prog=prog,
            description=description,
            epilog=epilog,
            formatter_class=argparse.RawDescriptionHelpFormatter,
            **options,
        )

    def parse_known_args(  # type: ignore[override]
        self, args: Sequence[str] | None = None, namespace: argparse.Namespace | None = None
    ) -> tuple[argparse.Namespace, list[str]]:
        """Return the options, and no argument: exit with an error if one is unknown."""
        given = sys.argv[1:] if args is None else args
        self._require_known(given)
        found, unknown = super().parse_known_args(given, namespace)
        if unknown:
            self.error(f"unrecognized arguments: {' '.join(unknown)}")
        return found, unknown

    def error(self, message: str) -> NoReturn:
        """Exit with a line that has no control characters, whatever the arguments have."""
        super().error(short_line(message))

    def _print_message(self, message: str, file: Any = None) -> None:
        """Write help or an error; unlike argparse, raise OSError if stdout cannot be written."""
        if message and file is sys.stdout:
            file.write(message)
        else:
            super()._print_message(message, file)

    def _require_known(self, arguments: Sequence[str]) -> None:
        """Exit with an error for an unknown option; those of a subcommand are left to its parser."""
        known = [name for action in self._actions for name in action.option_strings]
        for argument in arguments:
            name = argument.partition("=")[0]
            if argument == "--" or (self._subparsers and not name.startswith("-")):
                return
            if name.startswith("--") and " " not in argument and not any(k.startswith(name) for k in known):
                self.error(f"unknown option {name}; {suggest(name, known)}see --help")
            if SHORT.match(argument) and " " not in argument and argument[:2] not in known:
                self.error(f"unknown option {argument[:2]}; see --help")

    def _check_value(self, action: argparse.Action, value: Any) -> None:
        """Raise ArgumentError for a value that is not among the choices."""
        if action.choices is not None and value not in action.choices:
            choices = [str(each) for each in action.choices]
            hint = suggest(value, choices) or "choose from "
            named = "" if hint.startswith("did") else ", ".join(choices)
            raise argparse.ArgumentError(action, f"invalid choice: {value!r}; {(hint + named).strip()}")
