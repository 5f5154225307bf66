"""This package side by side with the published one and other runtimes: the tables of docs/benchmarks.md.

    python -m benchmarks [--rounds 3] [--json results.json] [--write docs/benchmarks.md] [WORD…]

Works whose names have one of the words in them are measured, all without any. SENSENET_PEER_PYTHON names the
Python of the published package, SENSENET_TFJS_PYTHON one that has tensorflowjs too, SENSENET_TF2ONNX_PYTHON
one that has tf2onnx too (one Python may be all three). Without it, a work has only our own figures; so has
one next to LiteRT, onnxruntime or bigml (the extra bindings), if this Python lacks that.
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

from benchmarks.published.measure import measure
from benchmarks.published.runtime_works import RUNTIME_WORKS
from benchmarks.published.table import HEADER, describe, replace_lines
from benchmarks.published.work import explain_missing, find_python
from benchmarks.published.works import WORKS


def main() -> None:
    described, _, variables = __doc__.split("\n\n", 2)
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=described, epilog=variables)
    parser.add_argument("words", nargs="*", metavar="WORD", help="measure works with this in their names")
    parser.add_argument("--rounds", type=int, default=3, help="of both in turns (default: %(default)s)")
    parser.add_argument("--json", type=Path, metavar="PATH", help="write their figures there")
    parser.add_argument("--write", type=Path, metavar="PAGE", help="replace the works' lines in its tables")
    options = parser.parse_args()
    works = (*WORKS, *RUNTIME_WORKS)
    chosen = [work for work in works if not options.words or any(word in work.name for word in options.words)]
    if not chosen:
        names = ", ".join(work.name for work in works)
        parser.error(f"no work has {' or '.join(options.words)} in its name; there are: {names}")
    for peer in sorted({work.peer for work in chosen}):
        if not find_python(peer):
            print(explain_missing(peer), file=sys.stderr)
    # as pip does when it installs a package: the published one has its bytecode
    compileall.compile_dir(Path(__file__).parents[1] / "sensenet", quiet=2)
    print(HEADER)
    results = []
    with tempfile.TemporaryDirectory() as directory:
        for work in chosen:
            results.append(measure(work, Path(directory), options.rounds, find_python(work.peer)))
            print(describe(results[-1]), flush=True)
    if options.json:
        earlier = json.loads(options.json.read_text("utf-8"))["works"] if options.json.exists() else []
        figures = {work["work"]: work for work in (*earlier, *(result.to_json() for result in results))}
        machine = {"machine": platform.platform(), "processors": os.cpu_count()}
        options.json.write_text(
            json.dumps(machine | {"works": [*figures.values()]}, indent=1) + "\n", "utf-8"
        )
    if options.write:
        page = options.write.read_text("utf-8")
        options.write.write_text(replace_lines(page, list(map(describe, results))), "utf-8")


if __name__ == "__main__":
    main()
