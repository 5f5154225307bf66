"""The size of the arena: measured by TensorFlow Lite Micro if its package is there, or else bounded."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import numpy as np
import pytest
from support.documents import DOCUMENTS, FEATURES, dense, network, tree
from support.resources import RESOURCES

import sensenet
from sensenet.backends import get_target
from sensenet.backends.c import arena
from sensenet.backends.c.header import read_model
from sensenet.backends.c.measuring import STEP
from sensenet.backends.tflite.flatbuffer import unpack
from sensenet.compiler.verify.inputs import generated_inputs
from sensenet.errors import UnsupportedOpError
from sensenet.ir.evaluate import prepare

pytest.importorskip("ai_edge_litert")

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"

TABLES = {
    "iris": EXAMPLES / "iris.json",
    "diabetes": EXAMPLES / "diabetes.json",
    "typed": DOCUMENTS["typed"](),
    "ensemble": DOCUMENTS["ensemble"](),
    "mixed": RESOURCES["mixed"](),
    "gelu": network([dense(FEATURES, 9, "gelu"), dense(9, 2, "softmax")]),
    "deep tree": network([dense(FEATURES + 2, 2)], trees=[[[0, 5], [tree(8)]]]),
}


IMAGE = {"image_size": "6x8"}


def size_in(artifact):
    return int(re.search(r"_ARENA_SIZE (\d+)", bytes(artifact).decode())[1])


@pytest.fixture
def absent(monkeypatch):
    """A process without tflite-micro."""
    monkeypatch.setattr(arena, "PACKAGE", "no_such_package")


@pytest.mark.usefixtures("absent")
def test_the_header_says_that_it_is_a_bound():
    artifact = sensenet.compile(TABLES["typed"], "c")
    assert (
        "arena, aligned to 16: an upper bound, computed without tflite-micro. */" in bytes(artifact).decode()
    )
    assert size_in(artifact) == arena.bound_arena(unpack(read_model(bytes(artifact))))


@pytest.mark.usefixtures("absent")
def test_the_bound_grows_with_the_network():
    sizes = [
        size_in(sensenet.compile(network([dense(FEATURES, width), dense(width, 2)]), "c"))
        for width in (2, 200, 2000)
    ]
    assert sizes[1] - sizes[0] == (800 - 16) * 2
    assert sizes[2] - sizes[1] == (8000 - 800) * 2


@pytest.mark.parametrize(("name", "options"), [*((name, {}) for name in TABLES), ("image", IMAGE)])
def test_the_network_runs_in_the_arena(name, options):
    """In one of the size that the header says, and in none that is smaller."""
    runtime = pytest.importorskip("tflite_micro").runtime
    document = TABLES.get(name) or DOCUMENTS[name]()
    artifact = sensenet.compile(document, "c", **options)
    content, size = read_model(bytes(artifact)), size_in(artifact)
    assert "aligned to 16: measured with tflite-micro" in bytes(artifact).decode()
    interpreter = runtime.Interpreter.from_bytes(content, arena_size=size)
    program = prepare(artifact.graph)
    places = {node.name: place for place, node in enumerate(artifact.graph.inputs)}
    for feed in generated_inputs(sensenet.compile(document, "tflite", **options).graph):
        for row in range(len(next(iter(feed.values()))[:10])):
            inputs = {name: numbers[row : row + 1] for name, numbers in feed.items()}
            for input_name, numbers in inputs.items():
                interpreter.set_input(numbers, places[input_name])
            interpreter.invoke()
            (answer,) = program(inputs).values()
            np.testing.assert_allclose(interpreter.get_output(0), answer, rtol=1e-5, atol=1e-6)
    assert size <= arena.bound_arena(unpack(content)) <= 4 * size
    with pytest.raises(UnsupportedOpError, match="does not run the network"):
        arena.measure_arena(content, size - STEP)


def test_a_network_of_whole_numbers_answers_as_in_litert():
    runtime = pytest.importorskip("tflite_micro").runtime
    rows = [[0.25 * place, ("red", "green")[place % 2], place] for place in range(20)]
    document = network([dense(FEATURES, 8, "gelu"), dense(8, 8), dense(8, 2, "softmax")])
    artifact = sensenet.compile(document, "c", quantize="int8", calibration=rows)
    interpreter = runtime.Interpreter.from_bytes(read_model(bytes(artifact)), arena_size=size_in(artifact))
    numbers = sensenet.create_model(document).encode(rows)["numeric_inputs"]
    (expected,) = get_target("c").load(artifact).run({"numeric_inputs": numbers}).values()
    for row, answer in zip(numbers, expected, strict=True):
        interpreter.set_input(row[None], 0)
        interpreter.invoke()
        np.testing.assert_allclose(interpreter.get_output(0)[0], answer, atol=1e-6)


@pytest.mark.parametrize(
    ("lines", "reason"),
    [
        ([], "it ends the process"),
        (["", "Didn't find op", "Traceback (most…", "RuntimeError: failed"], "Didn't find op"),
        (["Traceback (most recent call last):", "  File …", "ImportError: none", ""], "ImportError: none"),
    ],
)
def test_the_reason_is_what_was_said_first(monkeypatch, lines, reason):
    def run(command, **_):
        return subprocess.CompletedProcess(command, 1, b"", "\n".join(lines).encode())

    monkeypatch.setattr(subprocess, "run", run)
    with pytest.raises(UnsupportedOpError, match=f"does not run the network: {reason}$"):
        arena.measure_arena(b"", 16)


def test_what_it_refuses_is_said():
    pytest.importorskip("tflite_micro")
    document = network([dense(FEATURES, 3, "gelu"), dense(3, 2, "softmax")])
    content = bytes(sensenet.compile(document, "tflite"))
    with pytest.raises(UnsupportedOpError, match=r"does not run the network: .*GELU"):
        arena.measure_arena(content, 1 << 16)
