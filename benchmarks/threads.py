"""One model called from several threads: calls a second, by engine and number of threads.

    python benchmarks/threads.py [--engines native,numpy,tflite,keras]

A call asks for a row of numbers, for 4,096 rows as an array, or for a photograph (a JPEG of 640 × 480
pixels) in mobilenetv2, whose weights come from initializers; native code takes no photographs. Answers are
compared with those of one thread.
"""

from __future__ import annotations

import argparse
import io
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from engines import COLUMNS, tabular
from PIL import Image

from sensenet.errors import UnsupportedOpError
from sensenet.models.wrappers import create_model
from sensenet.pretrained import get_pretrained_network

THREADS = (1, 2, 4, 8)
SECONDS = 1.0
TOLERANCE = 1e-5


def photograph() -> bytes:
    coarse = np.random.default_rng(4).integers(0, 256, (12, 16, 3)).astype(np.uint8)
    stream = io.BytesIO()
    Image.fromarray(coarse).resize((640, 480), Image.Resampling.BICUBIC).save(stream, "JPEG", quality=90)
    return stream.getvalue()


def calls_per_second(call: Callable[[], np.ndarray], threads: int) -> float:
    """How many calls are answered by all threads together."""
    expected = call()
    begin = threading.Barrier(threads)

    def work() -> int:
        begin.wait()
        end, count = time.perf_counter() + SECONDS, 0
        while time.perf_counter() < end:
            assert np.abs(call() - expected).max() < TOLERANCE
            count += 1
        return count

    with ThreadPoolExecutor(threads) as pool:
        counts = [pool.submit(work) for _ in range(threads)]
        return sum(count.result() for count in counts) / SECONDS


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--engines", default="native,numpy,tflite,keras")
    options = parser.parse_args()
    random = np.random.default_rng(0)
    rows = random.normal(size=(4096, COLUMNS)).astype(np.float32)
    small, large = tabular(random, 64), get_pretrained_network("mobilenetv2")
    works = (
        ("a row", small, rows[0].tolist()),
        ("4,096 rows", small, rows),
        ("a photograph", large, photograph()),
    )
    counts = " | ".join(f"{threads} thread{'s' * (threads > 1)}" for threads in THREADS)
    print(f"| call | engine | {counts} |\n|---|---|{'---|' * len(THREADS)}")
    for name, document, given in works:
        for engine in options.engines.split(","):
            try:
                model = create_model(document, engine=engine)
            except UnsupportedOpError:
                continue
            speeds = [calls_per_second(lambda m=model, x=given: m(x), threads) for threads in THREADS]
            print(f"| {name} | {engine} | {' | '.join(f'{speed:,.0f}' for speed in speeds)} |", flush=True)


if __name__ == "__main__":
    main()
