"""A work: one thing that a client does, measured with this package and with another one."""

from __future__ import annotations

import importlib.util
import os
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from attrs import frozen

PUBLISHED = "SENSENET_PEER_PYTHON"
WITH_TENSORFLOWJS = "SENSENET_TFJS_PYTHON"
WITH_TF2ONNX = "SENSENET_TF2ONNX_PYTHON"

PEERS = {
    PUBLISHED: "the published package",
    WITH_TENSORFLOWJS: "the published package and tensorflowjs",
    WITH_TF2ONNX: "the published package and tf2onnx",
}
"""What the Python has that an environment variable names."""

LITERT, ONNXRUNTIME, BINDINGS = "ai_edge_litert", "onnxruntime", "bigml"
"""Packages in the same Python that do the same work."""


@frozen
class Run:
    """A work of client.py and its parameters; `{}` in text is the directory of the inputs.

    `whole` is for works of which the whole process counts, from its start.
    """

    work: str
    parameters: Mapping[str, Any]
    whole: bool = False
    before: Run | None = None
    """What the same package does first, once and untimed; then this package's Python does the work."""


@frozen
class Limit:
    """What the machine needs for a part of a work: so many times the seconds of a run of `machine.py`."""

    name: str
    run: Run
    times: float = 1.0


@frozen
class Work:
    """A line of the table: ours against the other's, and how many times faster it should be, if that is an
    aim by itself.

    `memory` is the most of the other's memory that ours may take. `amount` is how much a call does, in `unit`
    (answers, unless it says otherwise), for a rate, which should be `rate`. `limits` are what the machine
    needs, one after the other, and `share` how much of our time that should be.
    """

    name: str
    prepare: tuple[Callable[[Path], None], ...]
    ours: Run
    other: Run | None
    faster: float | None
    memory: float | None = None
    amount: int = 1
    unit: str = ""
    rate: float | None = None
    limits: tuple[Limit, ...] = ()
    share: float | None = None
    peer: str = PUBLISHED
    """The environment variable that names the other's Python, or the package that this Python needs."""


def find_python(peer: str) -> str | None:
    """Return the Python that does the other's part; None if there is none."""
    if peer in PEERS:
        return os.environ.get(peer) or None
    return sys.executable if importlib.util.find_spec(peer) else None


def explain_missing(peer: str) -> str:
    """Return what to say if there is none."""
    missing = f"not set (a Python with {PEERS[peer]})" if peer in PEERS else "not installed"
    return f"{peer} is {missing}: our figures alone"
