"""Reading a large document: seconds and memory of several JSON parsers (the figures of docs/frontend.md).

    python benchmarks/reading.py [--megabytes 100] [--repeats 7]

Each way reads the same file to the same result: plain values in which weights are float32 arrays. Each runs
in processes of its own; a line gives the best of the wall times, and how much the largest resident size
exceeds that of a process which has imported the parser and holds the file's bytes. Parsers that are not
installed (orjson and msgspec are no dependencies of sensenet) are left out.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

WEIGHTS = ("weights", "offset", "kernel")
UNITS = 640
BYTES_A_NUMBER = 20


def write_document(path, megabytes):
    """A network of dense layers, and a convolution of about as many weights as one of them."""
    generator = np.random.default_rng(0)
    count = max(round(megabytes * 1e6 / (UNITS * UNITS * BYTES_A_NUMBER)) - 1, 1)

    def numbers(*shape):
        return (generator.standard_normal(shape) * 0.05).astype(np.float32).tolist()

    layers = [
        {"type": "dense", "weights": numbers(UNITS, UNITS), "offset": numbers(UNITS)} for _ in range(count)
    ]
    kernel = {"type": "convolution_2d", "kernel": numbers(3, 3, 64, UNITS), "strides": [1, 1]}
    columns = [{"index": i, "type": "numeric", "mean": 0, "stdev": 1} for i in range(UNITS)]
    document = {"preprocess": columns, "layers": layers, "image_network": {"layers": [kernel]}}
    path.write_text(json.dumps(document))


def pack_lists(value):
    """Weights as float32 arrays in what a parser gave."""
    if isinstance(value, dict):
        return {
            key: np.array(member, np.float32) if key in WEIGHTS else pack_lists(member)
            for key, member in value.items()
        }
    return [pack_lists(entry) for entry in value] if isinstance(value, list) else value


def read_sensenet():
    from sensenet.frontend.json.reader import read_bytes

    return read_bytes


def read_simdjson_lists():
    import simdjson

    return lambda content: pack_lists(simdjson.Parser().parse(content, True))


def read_simdjson_buffers():
    """The fastest way, which takes [[1, 2], [3, [4]]] for a matrix: `as_buffer` flattens what it finds."""
    import simdjson

    def convert(key, value):
        if isinstance(value, simdjson.Object):
            return {inner: convert(inner, value[inner]) for inner in value}
        if not isinstance(value, simdjson.Array):
            return value
        if key not in WEIGHTS:
            return [convert(None, entry) for entry in value]
        shape, inner = [], value
        while isinstance(inner, simdjson.Array):
            shape.append(len(inner))
            inner = next(iter(inner))
        return np.frombuffer(value.as_buffer(of_type="d")).astype(np.float32).reshape(shape)

    return lambda content: convert(None, simdjson.Parser().parse(content))


def read_orjson():
    import orjson

    return lambda content: pack_lists(orjson.loads(content))


def read_msgspec():
    import msgspec

    return lambda content: pack_lists(msgspec.json.decode(content))


def read_json():
    return lambda content: pack_lists(json.loads(content))


WAYS = {
    "sensenet (simdjson, list by list)": (read_sensenet, "simdjson"),
    "simdjson, as_buffer": (read_simdjson_buffers, "simdjson"),
    "simdjson, lists": (read_simdjson_lists, "simdjson"),
    "orjson": (read_orjson, "orjson"),
    "msgspec": (read_msgspec, "msgspec"),
    "json": (read_json, "json"),
}


def peak_megabytes():
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / (1e6 if sys.platform == "darwin" else 1e3)


def measure(way, path):
    """One reading in this process; prints seconds and megabytes."""
    read = WAYS[way][0]()
    content = Path(path).read_bytes()
    before = peak_megabytes()
    start = time.perf_counter()
    document = read(content)
    seconds = time.perf_counter() - start
    assert document["layers"][-1]["weights"].shape == (UNITS, UNITS)
    print(json.dumps([seconds, peak_megabytes() - before]))


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--megabytes", type=float, default=100)
    parser.add_argument("--repeats", type=int, default=7)
    parser.add_argument("--measure", nargs=2, metavar=("WAY", "PATH"), help=argparse.SUPPRESS)
    parser.add_argument("--write", metavar="PATH", help="only write the document there")
    options = parser.parse_args()
    if options.measure:
        return measure(*options.measure)
    if options.write:
        return write_document(Path(options.write), options.megabytes)

    def run(*arguments):  # in a process of its own: a child starts with its parent's largest size
        command = [sys.executable, __file__, "--megabytes", str(options.megabytes), *arguments]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "document.json"
        run("--write", str(path))
        print(f"{path.stat().st_size / 1e6:.0f} MB, {options.repeats} readings each")
        ways = [way for way, (_, package) in WAYS.items() if importlib.util.find_spec(package)]
        records = {way: [] for way in ways}
        for _ in range(options.repeats):  # in turns, so that what else the machine does meets all alike
            for way in ways:
                records[way].append(json.loads(run("--measure", way, str(path))))
        for way in ways:
            seconds, megabytes = map(min, zip(*records[way], strict=True))
            print(f"{way:34} {seconds:6.2f} s {megabytes:6.0f} MB")
    return None


if __name__ == "__main__":
    main()
