"""The command line of `sensenet pretrained list | fetch NAME | path NAME`."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from typing import Any

from sensenet.cli import common as command_line
from sensenet.cli.json_results import add_json, list_files, print_json
from sensenet.cli.parser import CommandParser
from sensenet.pretrained.addresses import hide_credentials
from sensenet.pretrained.cache import (
    cache_directory,
    cache_place,
    cache_resource_path,
    file_url,
    is_cached,
)
from sensenet.pretrained.networks import NETWORKS, extractor_file_name, weights_file_name

PROGRAM = "sensenet pretrained"

EXAMPLES = """\
examples:
  %(prog)s list
  %(prog)s fetch mobilenetv2
  %(prog)s path resnet50 --extractor

exit status: 0, 1 if a file cannot be downloaded or is not in the cache, 2 for a wrong command line.
"""


def main(arguments: Sequence[str] | None = None, program: str = PROGRAM) -> int:
    """Run the command line and return the exit status."""
    return command_line.run(lambda: _run(make_parser(program).parse_args(arguments)))


def make_parser(program: str = PROGRAM) -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    description = "List the pretrained networks, and download their files into the local cache."
    parser = CommandParser(program, description, EXAMPLES)
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", title="commands", required=True)
    listing = "list the networks, and which files the cache has"
    add_json(commands.add_parser("list", help=listing, description=_as_sentence(listing)))
    for command, purpose in (
        ("fetch", "download a network's weights unless the cache has them, and print their path"),
        ("path", "print the path of a network's weights in the cache, without downloading"),
    ):
        subparser = commands.add_parser(command, help=purpose, description=_as_sentence(purpose))
        subparser.add_argument("name", choices=NETWORKS, metavar="NAME", help=", ".join(NETWORKS))
        subparser.add_argument(
            "--extractor",
            action="store_const",
            const=extractor_file_name,
            default=weights_file_name,
            dest="file_name",
            help="the bundle of the feature extractor instead of the weights",
        )
        add_json(subparser)
    return parser


def _as_sentence(text: str) -> str:
    return f"{text[0].upper()}{text[1:]}."


def _run(options: argparse.Namespace) -> int:
    if options.command == "list":
        _show_list(options)
        return 0
    file_name = options.file_name(options.name)
    if options.command == "fetch":
        cache_resource_path(file_name)
    cached = is_cached(file_name)
    _show_file(file_name, options)
    if cached:
        return 0
    print(f"not in the cache; it comes from {hide_credentials(file_url(file_name))}", file=sys.stderr)
    return 1


def _show_list(options: argparse.Namespace) -> None:
    networks = [_describe(name) for name in NETWORKS]
    if options.json:
        print_json({"cache": str(cache_directory()), "networks": networks})
        return
    print(f"{'NAME':<12}{'KIND':<12}{'PIXELS':<10}{'IN THE CACHE'}")
    for network in networks:
        pixels = f"{network['side']}x{network['side']}"
        cached = ", ".join(network["cached"]) or "-"
        print(f"{network['name']:<12}{network['kind']:<12}{pixels:<10}{cached}")
    print(f"cache: {cache_directory()}")


def _describe(name: str) -> dict[str, Any]:
    """Return what the list shows of a network; `side` is in pixels."""
    files = {"weights": weights_file_name(name), "extractor": extractor_file_name(name)}
    cached = [kind for kind, file_name in files.items() if is_cached(file_name)]
    return {"name": name, "kind": NETWORKS[name].kind, "side": NETWORKS[name].side, "cached": cached}


def _show_file(file_name: str, options: argparse.Namespace) -> None:
    path = str(cache_place(file_name))
    if not options.json:
        print(path)
        return
    url = hide_credentials(file_url(file_name))
    cached = is_cached(file_name)
    files = list_files([path] if cached else [])
    print_json({"name": options.name, "url": url, "path": path, "cached": cached, "files": files})
