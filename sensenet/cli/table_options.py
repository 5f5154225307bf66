"""The options of commands that read tables."""

from __future__ import annotations

import argparse

from sensenet.batches.outputs import ErrorPolicies
from sensenet.batches.table_files import FORMATS
from sensenet.cli import common as command_line
from sensenet.runtime.row_files import require_delimiter


def add_table_options(group: argparse._ArgumentGroup, null: str) -> None:
    """Add how tables are read; `null` says what `--on-error null` does."""
    group.add_argument(
        "--format", choices=FORMATS, help="the format of the tables (default: by their suffix, else csv)"
    )
    group.add_argument(
        "--delimiter",
        default=",",
        type=command_line.argument_type(require_delimiter),
        metavar="CHARACTER",
        help="between cells of CSV (default: a comma)",
    )
    group.add_argument("--on-error", choices=ErrorPolicies, default="raise", help=f"null: {null}")


def add_ignore(group: argparse._ActionsContainer) -> None:
    """Add the option `--ignore`, for columns of tables with true values."""
    group.add_argument(
        "--ignore",
        metavar="NAMES",
        type=command_line.names,
        action="extend",
        default=[],
        help="columns of tables that are neither fields nor true values, separated by commas",
    )
