"""What all works of client.py share: how calls are timed, and how their arguments are read."""

import json
import time
from pathlib import Path

import numpy as np


def read_input(path):
    """Rows, a row or a path: an array, or what JSON holds."""
    return np.load(path) if path.endswith(".npy") else json.loads(Path(path).read_text())


def time_calls(call, repeats, warm_up):
    """Seconds of each call, and what the last one gave."""
    for _ in range(warm_up):
        call()
    seconds = []
    for _ in range(repeats):
        start = time.perf_counter()
        answer = call()
        seconds.append(time.perf_counter() - start)
    return seconds, answer
