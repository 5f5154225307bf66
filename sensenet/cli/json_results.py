"""What commands print with `--json`; docs/json.md has the members."""

from __future__ import annotations

import argparse
import hashlib
import json
from collections.abc import Iterable
from os.path import realpath
from pathlib import Path
from typing import Any

from sensenet.artifact import Artifact
from sensenet.cli.common import STANDARD
from sensenet.json_numbers import as_json


def add_json(parser: argparse.ArgumentParser, help: str = "print JSON instead of text") -> None:
    """Add the option `--json`."""
    parser.add_argument("--json", action="store_true", help=help)


def require_free_stdout(
    options: argparse.Namespace, parser: argparse.ArgumentParser, outputs: Iterable[str | None]
) -> None:
    """Exit with an error if `--json` and an output both go to stdout, by whatever name."""
    if options.json and any(map(_is_stdout, outputs)):
        parser.error("--json and the result both go to stdout: give -o PATH")


def _is_stdout(output: str | None) -> bool:
    return output == STANDARD or (output is not None and realpath(output) == realpath("/dev/stdout"))


def print_json(value: Any) -> None:
    """Print a value as JSON, in ASCII: no name in it can control a terminal. NaN and infinity become null."""
    print(json.dumps(as_json(value), indent=2, allow_nan=False))


def json_line(value: Any) -> str:
    """Return the same in one line, with its end."""
    return json.dumps(as_json(value), allow_nan=False) + "\n"


def list_files(paths: Iterable[Path | str | None]) -> list[dict[str, Any]]:
    """Return path, bytes and SHA-256 of each file, and of each in a folder; None of what is not a file.

    A path of None has no files.
    """
    return [_describe(file) for path in paths if path is not None for file in _files_of(Path(path))]


def list_artifact_files(artifact: Artifact, path: Path | str) -> list[dict[str, Any]]:
    """Return the same for an artifact that was saved as `path`."""
    if not artifact.separate_files or len(artifact.files) == 1:
        return list_files([path])
    return list_files(Path(path).with_suffix(Path(name).suffix) for name in artifact.files)


def _files_of(path: Path) -> list[Path]:
    return sorted(each for each in path.rglob("*") if each.is_file()) if path.is_dir() else [path]


def _describe(path: Path) -> dict[str, Any]:
    if not path.is_file():  # a device or a pipe keeps nothing
        return {"path": str(path), "bytes": None, "sha256": None}
    with path.open("rb") as stream:
        digest = hashlib.file_digest(stream, "sha256").hexdigest()
    return {"path": str(path), "bytes": path.stat().st_size, "sha256": digest}
