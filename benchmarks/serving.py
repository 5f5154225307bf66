"""Latency and throughput of `sensenet serve`, next to MLServer's runtime for scikit-learn.

    python -m benchmarks.serving [--requests 2000] [--rounds 3]

Both answer the probabilities of one flower, or of 1,000, by the Open Inference Protocol in JSON.
The 1, 16 or 64 clients keep a connection, and send the next request when they have an answer.
SENSENET_MLSERVER_PYTHON names a Python that has mlserver-sklearn; without it, there are only our figures.
Of several rounds in turns, each figure is the best: seconds depend on what else the machine does, processor
time less.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import os
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from attrs import frozen

ROOT = Path(__file__).parents[1]
CLIENTS = (1, 16, 64)
ROWS = (1, 1000)
VARIABLE = "SENSENET_MLSERVER_PYTHON"
FIELDS = ("sepal length", "sepal width", "petal length", "petal width")

TRAIN = """
import joblib
from sklearn.datasets import load_iris
from sklearn.neural_network import MLPClassifier
rows, classes = load_iris(return_X_y=True)
joblib.dump(MLPClassifier((8,), max_iter=2000, random_state=0).fit(rows, classes), "model.joblib")
"""


@frozen
class Figures:
    """The median and the 99th percentile of seconds, requests per second, and processor seconds of one."""

    median: float
    high: float
    throughput: float
    processor: float

    def best(self, other: Figures) -> Figures:
        return Figures(
            min(self.median, other.median),
            min(self.high, other.high),
            max(self.throughput, other.throughput),
            min(self.processor, other.processor),
        )


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port: int = listening.getsockname()[1]
    return port


def flowers(rows: int) -> np.ndarray:
    return np.random.default_rng(0).uniform(0.1, 7, (rows, 4)).round(1)


def our_request(rows: int) -> tuple[str, dict[str, Any]]:
    columns = flowers(rows).T
    inputs = [
        {"name": name, "shape": [rows, 1], "datatype": "FP32", "data": column.tolist()}
        for name, column in zip(FIELDS, columns, strict=True)
    ]
    return "/v2/models/iris/infer", {"inputs": inputs, "outputs": [{"name": "probabilities"}]}


def their_request(rows: int) -> tuple[str, dict[str, Any]]:
    data = flowers(rows).reshape(-1).tolist()
    inputs = [{"name": "x", "shape": [rows, 4], "datatype": "FP32", "data": data}]
    return "/v2/models/iris/infer", {"inputs": inputs, "outputs": [{"name": "predict_proba"}]}


@contextlib.contextmanager
def running(command: Sequence[str], port: int, folder: Path) -> Iterator[int]:
    """Run a server, and yield its process id when it is ready."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    with (folder / "log").open("w") as log:
        process = subprocess.Popen(
            command, cwd=folder, env=environment, stdout=log, stderr=log, start_new_session=True
        )
    try:
        wait(f"http://127.0.0.1:{port}/v2/models/iris/ready", process)
        yield process.pid
    finally:
        process.terminate()
        process.wait(60)


def wait(address: str, process: subprocess.Popen[bytes]) -> None:
    until = time.monotonic() + 120
    while time.monotonic() < until and process.poll() is None:
        with contextlib.suppress(urllib.error.URLError, ConnectionError):
            urllib.request.urlopen(address).close()
            return
        time.sleep(0.2)
    raise SystemExit(f"{process.args} did not start")


@contextlib.contextmanager
def ours(folder: Path, *options: str) -> Iterator[tuple[int, int]]:
    port = free_port()
    model = str(ROOT / "examples" / "iris.json")
    command = [sys.executable, "-m", "sensenet.serve", model, "--port", str(port), *options]
    with running(command, port, folder) as process:
        yield port, process


@contextlib.contextmanager
def theirs(folder: Path, python: str) -> Iterator[tuple[int, int]]:
    port = free_port()
    subprocess.run([python, "-c", TRAIN], cwd=folder, check=True)
    model = {
        "name": "iris",
        "implementation": "mlserver_sklearn.SKLearnModel",
        "parameters": {"uri": "./model.joblib"},
    }
    (folder / "model-settings.json").write_text(json.dumps(model))
    settings = {
        "host": "127.0.0.1",
        "http_port": port,
        "grpc_port": free_port(),
        "metrics_port": free_port(),
        "parallel_workers": 0,  # one process, like ours
        "debug": False,  # no access log
    }
    (folder / "settings.json").write_text(json.dumps(settings))
    with running([python, "-m", "mlserver.cli.main", "start", "."], port, folder) as process:
        yield port, process


def processor_seconds(process: int) -> float:
    """The processor time of a process and of its children that still run."""
    total = 0.0
    for path in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            fields = path.read_text().rpartition(")")[2].split()
            if int(fields[3]) == process:  # its session
                total += (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
    return total


def encode(path: str, record: Any) -> bytes:
    body = json.dumps(record).encode()
    head = f"POST {path} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
    return f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body


async def client(port: int, request: bytes, times: int, seconds: list[float]) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    for _ in range(times):
        start = time.perf_counter()
        writer.write(request)
        head = (await reader.readuntil(b"\r\n\r\n")).lower()
        assert head.startswith(b"http/1.1 200"), head
        length = int(head.partition(b"content-length: ")[2].partition(b"\r\n")[0])
        await reader.readexactly(length)
        seconds.append(time.perf_counter() - start)
    writer.close()


async def load(port: int, request: bytes, clients: int, requests: int) -> tuple[list[float], float]:
    """The seconds of each request, and of all."""
    seconds: list[float] = []
    times = max(requests // clients, 1)
    start = time.perf_counter()
    await asyncio.gather(*(client(port, request, times, seconds) for _ in range(clients)))
    return seconds, time.perf_counter() - start


def measure(server: tuple[int, int], request: bytes, clients: int, requests: int) -> Figures:
    port, process = server
    asyncio.run(load(port, request, clients, max(clients, 50)))  # warm
    before = processor_seconds(process)
    seconds, whole = asyncio.run(load(port, request, clients, requests))
    processor = processor_seconds(process) - before
    count = len(seconds)
    return Figures(
        float(np.median(seconds)), float(np.percentile(seconds, 99)), count / whole, processor / count
    )


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.serving", description=__doc__.partition("\n")[0]
    )
    parser.add_argument("--requests", type=int, default=2000, help="of one row; a tenth of 1,000 rows")
    parser.add_argument(
        "--rounds", type=int, default=3, help="of all servers in turns (default: %(default)s)"
    )
    options = parser.parse_args()
    python = os.environ.get(VARIABLE)
    found: dict[tuple[int, str, int], Figures] = {}
    with tempfile.TemporaryDirectory() as directory, contextlib.ExitStack() as stack:
        folders = [Path(directory, name) for name in ("ours", "theirs")]
        for folder in folders:
            folder.mkdir()
        servers = {"sensenet": (stack.enter_context(ours(folders[0])), our_request)}
        if python:
            servers["MLServer"] = (stack.enter_context(theirs(folders[1], python)), their_request)
        else:
            print(f"{VARIABLE} is not set: our figures alone", file=sys.stderr)
        for _ in range(options.rounds):
            for rows in ROWS:
                for clients in CLIENTS:
                    for name, (server, request) in servers.items():
                        requests = options.requests if rows == 1 else options.requests // 10
                        figures = measure(server, encode(*request(rows)), clients, requests)
                        key = rows, name, clients
                        found[key] = figures.best(found.get(key, figures))
    print("| rows | server | clients | median | 99 of 100 within | requests/s | processor time |")
    print("|---|---|---|---|---|---|---|")
    for (rows, name, clients), figures in found.items():
        print(
            f"| {rows:,} | {name} | {clients} | {figures.median * 1e3:.3g} ms | {figures.high * 1e3:.3g} ms "
            f"| {figures.throughput:,.0f} | {figures.processor * 1e3:.3g} ms |"
        )


if __name__ == "__main__":
    main()
