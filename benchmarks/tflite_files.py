"""What .tflite files hold: operators, bytes, and how long they take to make. Two such records compared.

    python -m benchmarks.tflite_files --json before.json
    python -m benchmarks.tflite_files --compare before.json after.json

Of each recorded document (see `support.conformance`), example and pretrained topology with weights from
initializers. `--compare` lists the models with more operators or bytes than before, and exits with 1 if there
are any; it tells the seconds of all together.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import sensenet
from sensenet.backends.tflite.flatbuffer import unpack
from sensenet.errors import SensenetError
from sensenet.pretrained import NETWORKS, get_pretrained_network

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tests"))

from support.conformance import DATA, read_recorded  # noqa: E402

COUNTS = ("operators", "bytes")


def find_models() -> Iterator[tuple[str, Any, Any]]:
    """The name, document and settings of each model."""
    for path in sorted(DATA.glob("*/*.json.gz")):
        record = read_recorded(path.relative_to(DATA))
        if "model" in record:
            name = str(path.relative_to(DATA)).removesuffix(".json.gz")
            yield name, record["model"], record.get("settings")
    for path in sorted((ROOT / "examples").glob("*.json*")):
        yield f"examples/{path.name}", str(path), None
    for name in NETWORKS:
        yield f"pretrained/{name}", get_pretrained_network(name), None


def measure(document: Any, settings: Any) -> dict[str, float]:
    """Operators and bytes of the file, and the seconds of processor time from the document to it."""
    begun = time.process_time()
    content = bytes(sensenet.compile(document, "tflite", settings=settings))
    seconds = time.process_time() - begun
    operators = sum(len(graph.operators) for graph in unpack(content).subgraphs)
    return {"operators": operators, "bytes": len(content), "seconds": round(seconds, 4)}


def measure_all(words: list[str]) -> dict[str, dict[str, float]]:
    """The figures of each model whose name has one of the words, or of all, without those refused."""
    found = {}
    for name, document, settings in find_models():
        if not words or any(word in name for word in words):
            try:
                found[name] = measure(document, settings)
            except SensenetError as error:
                print(f"{name}: {error}", file=sys.stderr)
    return found


def compare(before: dict[str, Any], after: dict[str, Any]) -> list[str]:
    """A line for each figure that is larger than before, and for each model that is missing."""
    worse = [f"{name}: is missing" for name in before.keys() - after.keys()]
    for name in sorted(before.keys() & after.keys()):
        for figure in COUNTS:
            old, new = before[name][figure], after[name][figure]
            if new > old:
                worse.append(f"{name}: {figure} {old} → {new}")
    return worse


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("words", nargs="*", help="only models whose names have one of these words")
    parser.add_argument("--json", type=Path, help="where to write the figures")
    parser.add_argument("--compare", nargs=2, type=Path, metavar=("BEFORE", "AFTER"))
    options = parser.parse_args()
    if options.compare:
        before, after = (json.loads(path.read_text()) for path in options.compare)
        worse = compare(before, after)
        print("\n".join(worse))
        for word, figures in (("before", before), ("after", after)):
            totals = (sum(each[figure] for each in figures.values()) for figure in (*COUNTS, "seconds"))
            print(word, len(figures), *(f"{total:.1f}" for total in totals))
        return 1 if worse else 0
    found = measure_all(options.words)
    if options.json:
        options.json.write_text(json.dumps(found, indent=1))
    for name, figures in found.items():
        print(name, *figures.values())
    return 0


if __name__ == "__main__":
    sys.exit(main())
