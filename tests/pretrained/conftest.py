"""A loopback server, an empty cache that asks it, and the recorded networks."""

from __future__ import annotations

import gzip
import json
import os
import random
import threading
from pathlib import Path

import pytest
from support.downloads import ATTEMPTS, NAME, SOON
from support.loopback import Server

from sensenet.pretrained.cache import cache_resource_path
from sensenet.pretrained.download import Patience

SHARED = Path(os.environ.get("SENSENET_SHARED") or Path(__file__).parents[3] / "shared")
SIZE = 300_000
PATIENCE = Patience(attempts=ATTEMPTS, stall=SOON)


@pytest.fixture(scope="session")
def recorded_networks():
    """name → document of the published package, where the recordings are at hand."""
    path = SHARED / "conformance" / "pretrained" / "networks.json.gz"
    if not path.is_file():
        pytest.skip(f"no recorded networks at {path}; set SENSENET_SHARED")
    with gzip.open(path, "rt", encoding="utf-8") as file:
        return json.load(file)


@pytest.fixture
def server():
    """A server of 300 kB of noise."""
    with Server(random.Random(5).randbytes(SIZE)) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        thread.start()
        yield server
        server.release.set()
        server.shutdown()
        thread.join()


@pytest.fixture
def cache(server, tmp_path, monkeypatch):
    """An empty cache directory, filled from the server."""
    directory = tmp_path / "cache"
    monkeypatch.setenv("BIGML_SENSENET_CACHE_PATH", str(directory))
    monkeypatch.setenv("BIGML_SENSENET_URL", server.url)
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    return directory


@pytest.fixture
def fetch(cache):
    """Fetch NAME without sleeping; `fetch.delays` are the seconds that it would have slept."""

    def run(patience=PATIENCE):
        return cache_resource_path(NAME, patience=patience, sleep=run.delays.append)

    run.delays = []
    return run
