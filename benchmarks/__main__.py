"""This package side by side with the published one: the table of docs/benchmarks.md.

    python -m benchmarks [--rounds 3] [--json results.json] [WORD…]

Works whose names have one of the words in them are measured, all without any. SENSENET_PEER_PYTHON names the
Python of the published package, SENSENET_TFJS_PYTHON one that has tensorflowjs too, SENSENET_TF2ONNX_PYTHON
one that has tf2onnx too (one Python may be all three). Without it, a work has only our own figures.
"""

from __future__ import annotations

import argparse
import compileall
import json
import os
import platform
import sys
import tempfile
from pathlib import Path

from benchmarks.published.measure import Result, measure
from benchmarks.published.works import PEERS, WORKS

HEADER = "| work | ours | memory | times faster | aim | share of memory |\n|---|---|---|---|---|---|"


def describe(result: Result) -> str:
    """A line of the table."""
    work = result.work
    seconds = f"{result.seconds * 1e3:,.3g} ms" if result.seconds < 1 else f"{result.seconds:,.1f} s"
    if work.calls > 1:
        peak = "" if result.peak is None else f", {result.peak:.0%} of the peak"
        seconds += f" ({work.calls / result.seconds:,.0f}/s{peak})"
    faster = "–" if result.faster is None else f"{result.faster:,.2f}"
    memory = "–" if result.memory is None else f"{result.memory:.2f}"
    aim = "–" if work.faster is None else f"{work.faster:,.2f}"
    aims = aim + (f", memory {work.memory}" if work.memory else "")
    return f"| {work.name} | {seconds} | {result.megabytes:,.3g} MB | {faster} | {aims} | {memory} |"


def main() -> None:
    described, _, variables = __doc__.split("\n\n", 2)
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=described, epilog=variables)
    parser.add_argument("words", nargs="*", metavar="WORD", help="measure works with this in their names")
    parser.add_argument(
        "--rounds", type=int, default=3, help="of both packages in turns (default: %(default)s)"
    )
    parser.add_argument("--json", type=Path, metavar="PATH", help="write every figure there")
    options = parser.parse_args()
    chosen = [work for work in WORKS if not options.words or any(word in work.name for word in options.words)]
    if not chosen:
        names = ", ".join(work.name for work in WORKS)
        parser.error(f"no work has {' or '.join(options.words)} in its name; there are: {names}")
    for variable in sorted({work.peer for work in chosen}):
        if not os.environ.get(variable):
            missing = f"{variable} is not set (a Python with {PEERS[variable]}): our figures alone"
            print(missing, file=sys.stderr)
    # as pip does when it installs a package: the published one has its bytecode
    compileall.compile_dir(Path(__file__).parents[1] / "sensenet", quiet=2)
    print(HEADER)
    results = []
    with tempfile.TemporaryDirectory() as directory:
        for work in chosen:
            results.append(measure(work, Path(directory), options.rounds, os.environ.get(work.peer)))
            print(describe(results[-1]), flush=True)
    if options.json:
        machine = {"machine": platform.platform(), "processors": os.cpu_count(), "rounds": options.rounds}
        record = machine | {"works": [result.to_json() for result in results]}
        options.json.write_text(json.dumps(record, indent=1) + "\n")


if __name__ == "__main__":
    main()
