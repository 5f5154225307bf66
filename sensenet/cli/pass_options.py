"""The options that choose passes."""

from __future__ import annotations

import argparse

from sensenet.errors import UnknownPassError
from sensenet.passes import DEFAULT_LEVEL, PIPELINES
from sensenet.passes.infrastructure.rules import Pass
from sensenet.passes.infrastructure.selection import select_passes


def add_pass_options(parser: argparse.ArgumentParser) -> None:
    """Add the options -O, --passes, --disable-pass and --stop-after."""
    add = parser.add_argument
    add(
        "-O",
        dest="level",
        type=int,
        choices=PIPELINES,
        default=DEFAULT_LEVEL,
        help="0: as trained, 1: exactly the same answers, 2: the same up to rounding (default: %(default)s)",
    )
    add("--passes", metavar="NAMES", help="run these comma-separated passes instead of those of -O")
    add(
        "--disable-pass",
        dest="disabled_passes",
        action="append",
        default=[],
        metavar="NAME",
        help="leave out a pass; repeatable",
    )
    add("--stop-after", metavar="NAME", help="leave out all passes after this one, except the target's own")


def choose_passes(options: argparse.Namespace, parser: argparse.ArgumentParser) -> tuple[Pass, ...]:
    """Return the passes that the options choose; exit with an error for an unknown name."""
    only = None if options.passes is None else [name for name in options.passes.split(",") if name]
    try:
        return select_passes(options.level, only, options.disabled_passes, options.stop_after)
    except UnknownPassError as error:
        parser.error(str(error))
