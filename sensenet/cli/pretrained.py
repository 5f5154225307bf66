"""`python -m sensenet.pretrained list | fetch NAME | path NAME`.

Exit status: 0 for success, 1 if a file cannot be downloaded or is not in the cache, 2 for wrong arguments.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from sensenet.errors import SensenetError
from sensenet.pretrained.addresses import hide_credentials
from sensenet.pretrained.cache import (
    cache_directory,
    cache_place,
    cache_resource_path,
    file_url,
    is_cached,
)
from sensenet.pretrained.networks import NETWORKS, extractor_file_name, weights_file_name


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m sensenet.pretrained",
        description="The pretrained networks and their files in the local cache.",
    )
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("list", help="list the networks, and which files the cache has")
    for command, purpose in (
        ("fetch", "download a network's weights unless the cache has them, and print their path"),
        ("path", "print the path of a network's weights in the cache, without downloading"),
    ):
        subparser = commands.add_parser(command, help=purpose, description=purpose)
        subparser.add_argument("name", choices=NETWORKS, metavar="NAME", help=", ".join(NETWORKS))
        subparser.add_argument(
            "--extractor",
            action="store_const",
            const=extractor_file_name,
            default=weights_file_name,
            dest="file_name",
            help="the bundle of the feature extractor instead of the weights",
        )
    return parser


def _show_list() -> int:
    print(f"{'NAME':<12}{'KIND':<12}{'PIXELS':<10}{'IN THE CACHE'}")
    for name, network in NETWORKS.items():
        files = {"weights": weights_file_name(name), "extractor": extractor_file_name(name)}
        cached = [kind for kind, file_name in files.items() if is_cached(file_name)]
        pixels = f"{network.side}x{network.side}"
        print(f"{name:<12}{network.kind:<12}{pixels:<10}{', '.join(cached) or '-'}")
    print(f"cache: {cache_directory()}")
    return 0


def _fetch(file_name: str) -> int:
    print(cache_resource_path(file_name))
    return 0


def _show_path(file_name: str) -> int:
    print(cache_place(file_name))
    if is_cached(file_name):
        return 0
    print(f"not in the cache; it comes from {hide_credentials(file_url(file_name))}", file=sys.stderr)
    return 1


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return the exit status."""
    options = _parser().parse_args(arguments)
    try:
        match options.command:
            case "list":
                return _show_list()
            case "fetch":
                return _fetch(options.file_name(options.name))
            case _:
                return _show_path(options.file_name(options.name))
    except SensenetError as fault:
        print(f"sensenet.pretrained: {fault}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("sensenet.pretrained: stopped; the next fetch continues from here", file=sys.stderr)
        return 1
