"""What is measured against the published package, and against other converters' files: a table."""

from __future__ import annotations

import functools
from collections.abc import Callable
from pathlib import Path
from typing import Any

from attrs import evolve

from benchmarks.published import inputs, limits
from benchmarks.published.work import WITH_TENSORFLOWJS, WITH_TF2ONNX, Limit, Run, Work

REPEATS = 200
"""Calls of each file whose latency is measured."""

OPSET = 18
"""Of the ONNX files: ours have it if none is named."""


def call(model: str, x: str, repeats: int, warm_up: int = 1, **more: Any) -> Run:
    """Calls of a document's model, in either package."""
    given = {"model": f"{{}}/{model}.json", "x": f"{{}}/{x}", "repeats": repeats, "warm_up": warm_up}
    return Run("predict", given | more)


@functools.cache  # so that a document is written once for all works that want it
def network_writer(name: str) -> Callable[[Path], None]:
    """The function that writes the document of a network."""

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
    return call(network, x, 15, 3, **more), call(network, x, 9, 3)


def _many_photographs(network: str) -> tuple[Run, Run]:
    return call(network, "photos.json", 3, 1), call(network, "photos.json", 2, 1)


def _convert(model: str, target: str = "tflite") -> tuple[Run, Run]:
    """A document to an artifact: our command line, and the published package's function."""
    return (
        evolve(command(model, target), whole=True),
        evolve(_write(model, target, "published"), whole=True),
    )


def command(model: str, target: str) -> Run:
    """A document to an artifact, by our command line."""
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
        Run("onnx_latency", {"model": ours, "repeats": REPEATS}, before=command(model, "onnx")),
        Run(
            "onnx_latency",
            {"model": theirs, "repeats": REPEATS},
            before=Run("convert_by_tf2onnx", by_tf2onnx),
        ),
    )


TABLE, IMAGES = (inputs.write_mixed_table,), (inputs.write_photographs,)
NUMERIC = (inputs.write_numeric_table, inputs.write_million_rows)
FORESTS = (inputs.write_forests,)

MULTIPLY_ADDS = {
    "mixed": 2_688,
    "numeric": 10_368,
    "mobilenetv2": 300_775_552,
    "resnet50": 3_834_333_184,
    "tinyyolov4": 3_454_311_328,
}
"""Of one answer, after the passes: as `sensenet.ir.cost` counts them."""

MIXED = ("mixed", "a table", TABLE)
NUMBERS = ("numeric", "numbers", (inputs.write_numeric_table,))  # the other's mixed table needs a fused tanh
MOBILENET = ("mobilenetv2", "mobilenetv2", (network_writer("mobilenetv2"),))

FIRST = {"model": "{}/mixed.json", "x": "{}/row.json"}

FOREST_BYTES = 4 * inputs.FOREST_ROWS * (2 * inputs.FEATURES + inputs.RANGES * inputs.CLASSES)
"""Of the features of all rows, read and written, and of the shallow forests' answers."""

VISITS = 64 * 6.8 * inputs.FOREST_ROWS
"""Nodes of the deep trees in which all rows are compared."""

DEEP, SHALLOW = limits.lookups(VISITS), limits.memory(FOREST_BYTES)


def products(model: str, answers: int = 1, threads: int | None = None) -> Limit:
    """The products of so many answers of a network."""
    return limits.products(answers * MULTIPLY_ADDS[model], threads)


WORKS = (
    Work(
        "one row",
        TABLE,
        call("mixed", "row.json", 2000, 100),
        call("mixed", "row.json", 30, 3),
        4000,
        limits=(limits.cells("row.json", 2000), products("mixed")),
    ),
    Work(
        "20,000 rows as lists",
        TABLE,
        call("mixed", "rows.json", 5),
        call("mixed", "rows.json", 1, 0),
        300,
        amount=20_000,
        limits=(limits.cells("rows.json", 9), products("mixed", 20_000)),
    ),
    Work(
        "1,000,000 rows as an array",
        NUMERIC,
        call("numeric", "million.npy", 5),
        Run(
            "published_array",
            {"model": "{}/numeric.json", "x": "{}/million.npy", "repeats": 1, "warm_up": 0},
        ),
        500,
        amount=1_000_000,
        limits=(products("numeric", 1_000_000),),
        share=0.65,
    ),
    Work(
        "fresh process to first row",
        TABLE,
        Run("first_prediction", FIRST, whole=True),
        Run("first_prediction", FIRST, whole=True),
        15,
        memory=0.25,
        limits=(limits.START,),
        share=0.4,
    ),
    Work(
        "100 MB of JSON to a model",
        (inputs.write_convolutions,),
        Run("load", {"model": "{}/convolutions.json"}),
        Run("load", {"model": "{}/convolutions.json"}),
        8,
        amount=104,
        unit=" MB",
        limits=(limits.parser("convolutions"),),
    ),
    Work(
        "500 MB of JSON to tflite",
        (inputs.write_long_network,),
        *_convert("resnet50_long"),
        3,
        amount=543,
        unit=" MB",
        rate=400,
        limits=(limits.START, limits.parser("resnet50_long"), limits.writing(102_096_490)),
    ),
    Work("small JSON to tflite", TABLE, *_convert("mixed"), 1 / 0.6, limits=(limits.START,)),
    *(
        Work(
            f"{depth} forest, {target} against the {'op' if compiled else 'call'}",
            FORESTS,
            _forest(depth, target),
            _published_forest(depth, compiled),
            faster,
            amount=inputs.FOREST_ROWS,
            limits=(DEEP if depth == "deep" else SHALLOW,),
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
        Work(
            f"JSON of {what} to tfjs",
            prepare,
            *_convert(model, "tfjs"),
            20,
            limits=(limits.START, limits.parser(model)),
            peer=WITH_TENSORFLOWJS,
        )
        for model, what, prepare in (MIXED, MOBILENET)
    ),
    *(
        Work(
            f"tflite file of {what}",
            prepare,
            *_latency(model, "tflite", "latency"),
            1,
            memory=1,
            limits=(products(model, threads=1),),
        )
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
        Work(
            f"onnx file of {what}",
            prepare,
            *_onnx_latency(model),
            1,
            memory=1,
            limits=(products(model, threads=1),),
            peer=WITH_TF2ONNX,
        )
        for model, what, prepare in (MIXED, MOBILENET)
    ),
    *(
        Work(
            f"a photograph, {network}",
            (*IMAGES, network_writer(network)),
            *_photographs(network),
            faster,
            limits=(limits.decoder(), products(network)),
        )
        for network, faster in (("mobilenetv2", 3), ("resnet50", 1.3), ("tinyyolov4", 2))
    ),
    *(
        Work(
            f"{inputs.PHOTOGRAPHS} photographs, {network}",
            (*IMAGES, network_writer(network)),
            *_many_photographs(network),
            faster,
            amount=inputs.PHOTOGRAPHS,
            limits=(limits.decoder(inputs.PHOTOGRAPHS), products(network, inputs.PHOTOGRAPHS)),
        )
        for network, faster in (("mobilenetv2", 1.5), ("resnet50", 1))
    ),
)
