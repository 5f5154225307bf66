"""What is measured: a table. A work is one thing that a client does, in either package."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from attrs import evolve, frozen

from benchmarks.published import inputs

PUBLISHED = "SENSENET_PEER_PYTHON"
WITH_TENSORFLOWJS = "SENSENET_TFJS_PYTHON"
WITH_TF2ONNX = "SENSENET_TF2ONNX_PYTHON"

PEERS = {
    PUBLISHED: "the published package",
    WITH_TENSORFLOWJS: "the published package and tensorflowjs",
    WITH_TF2ONNX: "the published package and tf2onnx",
}
"""What the Python has that an environment variable names."""

REPEATS = 200
"""Calls of each file whose latency is measured."""

OPSET = 18
"""Of the ONNX files: ours have it if none is named."""


@frozen
class Run:
    """A work of client.py and its parameters; `{}` in text stands for the directory of the inputs.

    `whole` is for works of which the whole process counts, from its start.
    """

    work: str
    parameters: Mapping[str, Any]
    whole: bool = False
    before: Run | None = None
    """What the same package does first, once and untimed; then this package's Python does the work."""


@frozen
class Work:
    """A line of the table: ours against the published package's, and how many times faster it should be, if
    that is an aim by itself.

    `memory` is the most of the other's memory that ours may take; `calls` is how many answers a call gives,
    for a rate beside the ratio; `multiply_adds` is how many the network has left for one answer, as
    `sensenet.ir.cost` counts them, for the share of the machine's peak.
    """

    name: str
    prepare: tuple[Callable[[Path], None], ...]
    ours: Run
    published: Run | None
    faster: float | None
    memory: float | None = None
    calls: int = 1
    multiply_adds: int = 0
    peer: str = PUBLISHED
    """The environment variable that names the Python of the published package."""


def _call(model: str, x: str, repeats: int, warm_up: int = 1, **more: Any) -> Run:
    given = {"model": f"{{}}/{model}.json", "x": f"{{}}/{x}", "repeats": repeats, "warm_up": warm_up}
    return Run("predict", given | more)


@functools.cache  # so that a document is written once for all works that want it
def _network(name: str) -> Callable[[Path], None]:
    def write(directory: Path) -> None:
        inputs.write_network(directory, name)

    return write


def _forest(depth: str, target: str) -> Run:
    given = {"model": f"{{}}/{depth}.json", "x": "{}/features.npy", "repeats": 7, "target": target}
    return Run("forest", given)


def _published_forest(depth: str, compiled: bool) -> Run:
    given = {"model": f"{{}}/{depth}.json", "x": "{}/features.npy", "repeats": 7, "compiled": compiled}
    return Run("published_forest", given)


def _photographs(network: str, engine: str | None = None) -> tuple[Run, Run]:
    more = {"engine": engine} if engine else {}
    x = "photo_path.json" if "yolo" in network else "photo.json"
    return _call(network, x, 15, 3, **more), _call(network, x, 9, 3)


def _many_photographs(network: str) -> tuple[Run, Run]:
    return _call(network, "photos.json", 3, 1), _call(network, "photos.json", 2, 1)


def _convert(model: str, target: str = "tflite") -> tuple[Run, Run]:
    """A document to an artifact: our command line, and the published package's function."""
    return (
        evolve(_command(model, target), whole=True),
        evolve(_write(model, target, "published"), whole=True),
    )


def _command(model: str, target: str) -> Run:
    output = f"{{}}/{model}-command.{target}"
    arguments = (f"{{}}/{model}.json", "-o", output, "--target", target, "-f")
    return Run("run_module", {"module": "sensenet.compile", "arguments": arguments})


def _write(model: str, target: str, who: str) -> Run:
    output = f"{{}}/{model}-{who}.{target}"
    return Run("convert", {"model": f"{{}}/{model}.json", "output": output, "target": target})


def _latency(model: str, target: str, work: str, repeats: int = REPEATS, **more: Any) -> tuple[Run, Run]:
    """The files that both packages write, in one runtime."""
    return tuple(  # type: ignore[return-value]
        Run(
            work,
            {"model": f"{{}}/{model}-{who}.{target}", "repeats": repeats, **more},
            before=_write(model, target, who),
        )
        for who in ("ours", "theirs")
    )


def _onnx_latency(model: str) -> tuple[Run, Run]:
    """Our ONNX file and the one that tf2onnx makes of the published package's Keras model, in onnxruntime."""
    ours, theirs = f"{{}}/{model}-command.onnx", f"{{}}/{model}-tf2onnx.onnx"
    by_tf2onnx = {"model": f"{{}}/{model}.json", "output": theirs, "opset": OPSET}
    return (
        Run("onnx_latency", {"model": ours, "repeats": REPEATS}, before=_command(model, "onnx")),
        Run(
            "onnx_latency",
            {"model": theirs, "repeats": REPEATS},
            before=Run("convert_by_tf2onnx", by_tf2onnx),
        ),
    )


TABLE, IMAGES = (inputs.write_mixed_table,), (inputs.write_photographs,)
NUMERIC = (inputs.write_numeric_table, inputs.write_million_rows)
FORESTS = (inputs.write_forests,)

MIXED = ("mixed", "a table", TABLE)
NUMBERS = ("numeric", "numbers", (inputs.write_numeric_table,))  # the other's mixed table needs a fused tanh
MOBILENET = ("mobilenetv2", "mobilenetv2", (_network("mobilenetv2"),))

FIRST = {"model": "{}/mixed.json", "x": "{}/row.json"}

WORKS = (
    Work("one row", TABLE, _call("mixed", "row.json", 2000, 100), _call("mixed", "row.json", 30, 3), 4000),
    Work(
        "20,000 rows as lists", TABLE, _call("mixed", "rows.json", 5), _call("mixed", "rows.json", 1, 0), 300
    ),
    Work(
        "1,000,000 rows as an array",
        NUMERIC,
        _call("numeric", "million.npy", 5),
        Run(
            "published_array",
            {"model": "{}/numeric.json", "x": "{}/million.npy", "repeats": 1, "warm_up": 0},
        ),
        500,
        calls=1_000_000,
        multiply_adds=10_368,
    ),
    Work(
        "fresh process to first row",
        TABLE,
        Run("first_prediction", FIRST, whole=True),
        Run("first_prediction", FIRST, whole=True),
        15,
        memory=0.25,
    ),
    Work(
        "100 MB of JSON to a model",
        (inputs.write_convolutions,),
        Run("load", {"model": "{}/convolutions.json"}),
        Run("load", {"model": "{}/convolutions.json"}),
        8,
    ),
    Work("500 MB of JSON to tflite", (inputs.write_long_network,), *_convert("resnet50_long"), 3),
    Work("small JSON to tflite", TABLE, *_convert("mixed"), 1 / 0.6),
    *(
        Work(
            f"{depth} forest, {target} against the {'op' if compiled else 'call'}",
            FORESTS,
            _forest(depth, target),
            _published_forest(depth, compiled),
            faster,
            calls=inputs.FOREST_ROWS,
        )
        for depth, target, compiled, faster in (
            ("shallow", "native", False, 4),
            ("shallow", "numpy", False, 2),
            ("shallow", "keras", False, 2),
            ("shallow", "tflite", False, 2),
            ("shallow", "native", True, 4),
            ("shallow", "numpy", True, 1),
            ("shallow", "keras", True, None),  # the aim is that one of the targets is as fast as the op
            ("deep", "native", True, 4),
            ("deep", "numpy", True, 0.4),
            ("deep", "keras", True, 0.5),
        )
    ),
    *(
        Work(f"JSON of {what} to tfjs", prepare, *_convert(model, "tfjs"), 20, peer=WITH_TENSORFLOWJS)
        for model, what, prepare in (MIXED, MOBILENET)
    ),
    *(
        Work(f"tflite file of {what}", prepare, *_latency(model, "tflite", "latency"), 1, memory=1)
        for model, what, prepare in (MIXED, MOBILENET)
    ),
    *(
        Work(
            f"tfjs file of {what}, {backend}",
            prepare,
            *_latency(model, "tfjs", "tfjs_latency", repeats, backend=backend),
            1,
            memory=1,
            peer=WITH_TENSORFLOWJS,
        )
        for (model, what, prepare), backend, repeats in (
            (NUMBERS, "wasm", REPEATS),
            (NUMBERS, "cpu", REPEATS),
            (MOBILENET, "wasm", REPEATS),
            (MOBILENET, "cpu", 3),  # which takes seconds
        )
    ),
    *(
        Work(f"onnx file of {what}", prepare, *_onnx_latency(model), 1, memory=1, peer=WITH_TF2ONNX)
        for model, what, prepare in (MIXED, MOBILENET)
    ),
    Work("a photograph, mobilenetv2", (*IMAGES, _network("mobilenetv2")), *_photographs("mobilenetv2"), 3),
    Work("a photograph, resnet50", (*IMAGES, _network("resnet50")), *_photographs("resnet50"), 1.3),
    Work("a photograph, tinyyolov4", (*IMAGES, _network("tinyyolov4")), *_photographs("tinyyolov4"), 2),
    Work(
        "64 photographs, mobilenetv2",
        (*IMAGES, _network("mobilenetv2")),
        *_many_photographs("mobilenetv2"),
        1.5,
        calls=inputs.PHOTOGRAPHS,
    ),
    Work(
        "64 photographs, resnet50",
        (*IMAGES, _network("resnet50")),
        *_many_photographs("resnet50"),
        1,
        calls=inputs.PHOTOGRAPHS,
        multiply_adds=3_834_333_184,
    ),
)
