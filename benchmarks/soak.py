"""Whether predicting leaks memory: what the process has for itself before and after very many calls.

    python benchmarks/soak.py [--calls 1000000] [--engines native,numpy,tflite,keras]

Each engine predicts single rows, and a hundredth as many single images. The first tenth of the calls are
not counted: until then, engines and Python's allocator have taken what they keep. It fails where the process
grew by more than LIMIT since. Linux only: it reads /proc.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from engines import COLUMNS, convolutional, tabular

from sensenet.errors import UnsupportedOpError
from sensenet.models.wrappers import create_model

LIMIT = 4.0
"""Megabytes: a leak of five bytes a call is more, in a million calls."""

ROWS_PER_IMAGE = 100


def own_megabytes() -> float:
    """Return the memory that the process has for itself, wherever a busy machine keeps it."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return sum(int(line.split()[1]) for line in lines if line.startswith(("RssAnon:", "VmSwap:"))) / 1e3


def growth(call: Callable[[], object], calls: int) -> float:
    """Megabytes by which the process grows in the last nine tenths of so many calls."""
    for _ in range(calls // 10):
        call()
    before = own_megabytes()
    for _ in range(calls - calls // 10):
        call()
    return own_megabytes() - before


def soak(engine: str, calls: int) -> bool:
    """Print what both kinds of calls take; whether none of them leaks."""
    random = np.random.default_rng(0)
    row = random.normal(size=COLUMNS).tolist()
    image = random.integers(0, 256, (48, 64, 3), np.uint8)
    works = (
        ("rows", tabular(random, 64), row, calls),
        ("images", convolutional(random, 32, 8), image, calls // ROWS_PER_IMAGE),
    )
    sound = True
    for name, document, given, count in works:
        try:
            model = create_model(document, engine=engine)
        except UnsupportedOpError:
            continue  # native code takes no images
        start = time.perf_counter()
        megabytes = growth(lambda m=model, x=given: m(x), count)
        seconds = time.perf_counter() - start
        sound &= megabytes <= LIMIT
        verdict = "" if megabytes <= LIMIT else ": it leaks"
        print(f"{engine}: {count:,} {name}, {seconds:.0f} s, {megabytes:+.1f} MB{verdict}", flush=True)
    return sound


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--calls", type=int, default=1_000_000)
    parser.add_argument("--engines", default="native,numpy,tflite,keras")
    options = parser.parse_args()
    sound = [soak(engine, options.calls) for engine in options.engines.split(",")]
    return 0 if all(sound) else 1


if __name__ == "__main__":
    sys.exit(main())
