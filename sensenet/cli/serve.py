"""The command line of `sensenet serve`."""

from __future__ import annotations

import argparse
import gc
import re
from collections.abc import Sequence
from pathlib import PurePath
from typing import Any

from sensenet.cli import common as command_line
from sensenet.cli.json_results import add_json, json_line
from sensenet.errors import SettingsError
from sensenet.limits import format_size, memory_limit, parse_size
from sensenet.models.create import create_model
from sensenet.optional_packages import import_package
from sensenet.progress import status_line
from sensenet.serve.served import FIRST_VERSION, Served, make_catalog, serve_model

PROGRAM = "sensenet serve"

EXAMPLES = """\
examples:
  %(prog)s deepnet.json                        at http://127.0.0.1:8080, by the name deepnet
  %(prog)s flowers=iris.json prices=homes.onnx --port 9000
  %(prog)s iris:1=old.json iris:2=new.json     two versions; the higher number is the default
  %(prog)s mobilenetv2 --host 0.0.0.0          a pretrained network, for other machines too

exit status: 0 after SIGTERM, 1 if a model or the address cannot be used, 2 for a wrong command line.
"""

NAMED = re.compile(r"(?P<name>[\w.-]+)(:(?P<version>[\w.-]+))?=(?P<source>.+)", re.DOTALL)

GARBAGE = 50_000
"""How many new objects Python makes before it looks for garbage. At its 700, reading a large request takes
more than twice as long, and all others wait for it."""

LONGEST = 1e9
"""No time is as long, in seconds or milliseconds."""

PACKAGES = ("uvicorn", "starlette", "orjson", "prometheus_client")


def main(arguments: Sequence[str] | None = None, program: str = PROGRAM) -> int:
    """Run the command line and return the exit status."""
    return command_line.run(lambda: _run(make_parser(program).parse_args(arguments)))


def make_parser(program: str = PROGRAM) -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    description = "Serve models over HTTP by the Open Inference Protocol, version 2."
    parser = command_line.make_parser(program, description, EXAMPLES)
    add = parser.add_argument
    add(
        "models",
        metavar="[NAME[:VERSION]=]MODEL",
        nargs="+",
        help="a document, a saved artifact, -, or a pretrained network's name; "
        f"its own name, without suffixes, and the version {FIRST_VERSION} unless given",
    )
    add("--host", default="127.0.0.1", help="the address to listen at (default: %(default)s)")
    add("--port", type=_port, default=8080, help="the port, or 0 for a free one (default: %(default)s)")
    command_line.add_engine(parser)
    add(
        "--max-body",
        type=command_line.argument_type(parse_size),
        default=16 << 20,
        metavar="SIZE",
        help="the longest body of a request (default: 16MiB)",
    )
    add(
        "--timeout",
        type=_positive,
        default=60.0,
        metavar="SECONDS",
        help="for a body to arrive, and again for its answer (default: 60)",
    )
    add(
        "--batch",
        type=command_line.positive_count,
        metavar="ROWS",
        help="the most rows that run together (default: 1024, or 16 with images)",
    )
    add(
        "--window",
        type=_milliseconds,
        default=0.0,
        metavar="MILLISECONDS",
        help="how long the first request of a batch waits for others (default: 0; those that arrive while a "
        "batch runs share the next anyway)",
    )
    add(
        "--drain",
        type=command_line.positive_count,
        default=30,
        metavar="SECONDS",
        help="for answers that have begun when the server is stopped (default: %(default)s)",
    )
    add_json(parser, "print a line of JSON when the server listens")
    return parser


def _port(text: str) -> int:
    number = int(text) if text.isascii() and text.isdigit() and len(text) < 6 else -1
    if not 0 <= number < 1 << 16:
        raise argparse.ArgumentTypeError(f"expected a port from 0 to 65535, found {text!r}")
    return number


def _positive(text: str) -> float:
    number = command_line.nonnegative(text, LONGEST)
    if number == 0:
        raise argparse.ArgumentTypeError(f"expected a positive number, found {text!r}")
    return number


def _milliseconds(text: str) -> float:
    """Return a number of milliseconds in seconds."""
    return command_line.nonnegative(text, LONGEST) / 1000


def _run(options: argparse.Namespace) -> int:
    for package in PACKAGES:
        import_package(package, "serve", "serving")
    from sensenet.serve.application import Limits, make_application
    from sensenet.serve.requests import JSON_MEMORY
    from sensenet.serve.server import listen, make_server, stopped_by_sigterm

    needed = (JSON_MEMORY + 2) * options.max_body
    if needed > memory_limit():
        raise SettingsError(
            f"reading a body of --max-body {format_size(options.max_body)} may take {format_size(needed)}, "
            f"and the limit is {format_size(memory_limit())}: set --memory-limit"
        )
    with status_line() as show:
        models = []
        for given in options.models:
            show(f"opening {given} …")
            models.append(_open(given, options))
    catalog = make_catalog(models)
    limits = Limits(body=options.max_body, seconds=options.timeout, rows=options.batch, window=options.window)
    application = make_application(catalog, limits)
    listening = listen(options.host, options.port)
    host, port = listening.getsockname()[:2]
    url = f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
    served = catalog.all()
    server = make_server(application, options.drain)
    gc.freeze()  # the models stay
    gc.set_threshold(GARBAGE)
    with stopped_by_sigterm(server):
        if options.json:
            found = {"url": url, "host": host, "port": port, "models": [_as_json(each) for each in served]}
            print(json_line(found), end="", flush=True)
        names = ", ".join(f"{each.name}:{each.version}" for each in served)
        command_line.print_note(f"serving {names} at {url}")
        server.run(sockets=[listening])
    return 0


def _as_json(served: Served) -> dict[str, Any]:
    return {"name": served.name, "version": served.version, "engine": served.model.engine}


def _open(given: str, options: argparse.Namespace) -> Served:
    """Return the model of an argument, ready to answer."""
    named = NAMED.fullmatch(given)
    source = named["source"] if named else given
    name = named["name"] if named else PurePath(source).name.partition(".")[0] or source
    version = (named["version"] if named else None) or FIRST_VERSION
    return serve_model(
        create_model(command_line.read_model(source), dict(options.settings), options.engine), name, version
    )
