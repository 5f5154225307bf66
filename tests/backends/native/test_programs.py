"""Native code in programs of C and C++: objects and sources answer as the interpreter does."""

from __future__ import annotations

import shutil
import subprocess

import numpy as np
import pytest
from hypothesis import HealthCheck, assume, given
from hypothesis import strategies as st
from support.activation_references import SCALARS
from support.c_code import SANITIZERS, STANDARDS, WARNINGS
from support.conformance import recorded_cases
from support.documents import DOCUMENTS, FEATURES, dense, network, tree, typed
from support.lowered import build, graph_of_op
from support.native_code import (
    answers_of,
    join_answers,
    link_program,
    require_agreement,
    require_program_agrees,
    rows_with_answers,
    run_program,
    run_tool,
)
from support.profiles import examples
from support.resources import RESOURCES
from support.row_graphs import assume_plan
from support.strategies import TABULAR_OPS, any_of, feeds, graphs

import sensenet
from sensenet.backends import get_target
from sensenet.backends.native.c_arithmetic import float_numbers
from sensenet.backends.native.code import Machine
from sensenet.backends.native.emitting import Probed, host_processor, make_code
from sensenet.backends.native.objects import write_text
from sensenet.backends.native.planner import plan_graph
from sensenet.backends.native.running import declare
from sensenet.errors import SensenetError
from sensenet.files.directories import temporary_directory
from sensenet.frontend import import_graph
from sensenet.ir.activation import ActivationFunction
from sensenet.ir.ops import dense as dense_ops
from sensenet.ir.ops import elementwise
from sensenet.ir.types import Tensor, f32
from sensenet.llvm.compilation import link_object

pytest.importorskip("llvmlite")

TABLES = {
    "typed": typed,
    "ensemble": DOCUMENTS["ensemble"],
    "mixed": RESOURCES["mixed"],
    "deep_tree": lambda: network([dense(FEATURES + 2, 2)], trees=[[[0, 5], [tree(8)]]]),
    **{
        name: lambda name=name: network([dense(FEATURES, 19, name), dense(19, 2, "softmax")])
        for name in ("gelu", "mish", "selu", "tanh")
    },
}

EMITTED = ("object", "assembly", "source")


def graph_of_table(name):
    return import_graph(TABLES[name]())


@pytest.mark.parametrize("emit", EMITTED)
@pytest.mark.parametrize("name", TABLES)
def test_programs_answer_as_the_interpreter(tmp_path, name, emit):
    graph = graph_of_table(name)
    artifact = sensenet.compile(graph, "native", emit=emit, prefix="model")
    rows, expected = rows_with_answers(graph)
    flags = SANITIZERS if emit == "source" else ["-DGUARDED"]
    program = link_program(tmp_path, {"model": artifact}, flags=flags)
    (found,) = run_program(program, [rows], [expected.shape[1]])
    require_agreement(found, expected)
    for count in (0, 1, 3):
        (again,) = run_program(program, [rows[:count]], [expected.shape[1]])
        np.testing.assert_array_equal(again, found[:count])


@pytest.mark.slow
@pytest.mark.parametrize("emit", ["object", "source"])
@pytest.mark.parametrize("case", recorded_cases("tabular", "real"))
def test_recorded_models_in_programs(tmp_path, case, emit):
    record = case.read()
    try:
        graph = import_graph(record["model"], record.get("settings"))
    except SensenetError as error:
        pytest.skip(f"refused: {error}")
    if graph.signature.image_columns:
        pytest.skip("a network of images")
    artifact = sensenet.compile(graph, "native", emit=emit, prefix="model")
    rows, expected = rows_with_answers(graph)
    program = link_program(
        tmp_path, {"model": artifact}, flags=SANITIZERS if emit == "source" else ["-DGUARDED"]
    )
    (found,) = run_program(program, [rows], [expected.shape[1]])
    require_agreement(found, expected)


@pytest.mark.parametrize("emit", ["object", "source"])
@pytest.mark.parametrize("standard", STANDARDS)
def test_two_models_are_one_program(tmp_path, standard, emit):
    graphs = {name: graph_of_table(name) for name in ("ensemble", "typed")}
    artifacts = {
        name: sensenet.compile(graph, "native", emit=emit, prefix=name) for name, graph in graphs.items()
    }
    require_program_agrees(tmp_path, graphs, artifacts, compiler=STANDARDS[standard], standard=standard)


ENCODING = """\
#include <math.h>
#include <stdio.h>
#include "model.h"
int main(void) {
  model_row row;
  float inputs[MODEL_INPUTS], out[MODEL_OUTPUTS];
  memset(&row, 0, sizeof row);
  row.column_0 = NAN;
  row.column_1 = "red";
  row.column_2 = 3.0f;
  model_encode(&row, inputs);
  if (model_predict(inputs, 1, out) != 0) return 1;
  for (int i = 0; i < MODEL_LABELS; ++i) printf("%s %.9g\\n", model_labels[i], (double)out[i]);
  printf("%d\\n", MODEL_STACK);
  return 0;
}
"""


@pytest.mark.parametrize("emit", ["object", "source"])
def test_a_row_is_encoded_and_answered(tmp_path, emit):
    if shutil.which("gcc") is None:
        pytest.skip("there is no gcc")
    artifact = sensenet.compile(typed(), "native", emit=emit)
    for name, content in artifact.files.items():
        (tmp_path / name).write_bytes(content)
    (tmp_path / "main.c").write_text(ENCODING)
    (code,) = (name for name in artifact.files if not name.endswith(".h"))
    program = tmp_path / "program"
    run_tool(["gcc", "-std=c99", str(tmp_path / "main.c"), str(tmp_path / code), "-o", str(program)])
    *answers, stack = run_tool([str(program)]).splitlines()
    labels, numbers = zip(*(line.split() for line in answers), strict=True)
    assert labels == artifact.graph.signature.classes
    expected = sensenet.create_model(typed())([None, "red", 3])
    np.testing.assert_allclose(np.float32(numbers), np.ravel(expected), rtol=1e-5)
    assert 0 < int(stack) <= 16384


@pytest.mark.parametrize(
    "flags", [("-std=gnu99", "-O3", "-march=native"), ("-O3", "-funroll-loops"), ("-Os",)]
)
def test_compilers_may_optimize_the_source(tmp_path, flags):
    """Also where products are fused."""
    graph = graph_of_table("gelu")
    artifact = sensenet.compile(graph, "native", emit="source", prefix="model")
    rows, expected = rows_with_answers(graph)
    program = link_program(tmp_path, {"model": artifact}, flags=flags)
    (found,) = run_program(program, [rows], [expected.shape[1]])
    require_agreement(found, expected)


@pytest.mark.parametrize("flag", ["-ffast-math", "-ffinite-math-only", "-Ofast"])
def test_compilers_may_not_change_what_the_source_means(tmp_path, flag):
    if shutil.which("gcc") is None:
        pytest.skip("there is no gcc")
    (tmp_path / "model.c").write_bytes(sensenet.compile(typed(), "native", emit="source").files["model.c"])
    command = ["gcc", "-std=c99", flag, "-c", str(tmp_path / "model.c"), "-o", str(tmp_path / "model.o")]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    assert result.returncode != 0
    assert "compile this file without -ffast-math" in result.stderr


TABLE = """\
#include <stdio.h>
static const float table[] = {{{numbers}}};
int main(void) {{ return fwrite(table, sizeof table, 1, stdout) != 1; }}
"""


def test_numbers_of_a_table_are_exact(tmp_path):
    """Also those that only overflow gives."""
    if shutil.which("gcc") is None:
        pytest.skip("there is no gcc")
    random = np.random.default_rng(0)
    numbers = random.integers(-(2**31), 2**31, 1000).astype(np.int32).view(np.float32)
    special = np.float32([np.inf, -np.inf, np.nan, 1e-45, -0.0, 0.0, 3.4028234e38, 1.0, -1.5, 16777216.0])
    numbers = np.concatenate([numbers, special])
    (tmp_path / "main.c").write_text(TABLE.format(numbers=", ".join(float_numbers(numbers.tolist()))))
    program = tmp_path / "program"
    run_tool(["gcc", "-std=c99", *WARNINGS, str(tmp_path / "main.c"), "-o", str(program)])
    content = subprocess.run([str(program)], capture_output=True, check=True).stdout
    np.testing.assert_array_equal(np.frombuffer(content, np.float32), numbers)


def test_an_object_needs_no_library(tmp_path):
    if shutil.which("nm") is None:
        pytest.skip("there is no nm")
    for name in TABLES:
        path = sensenet.compile(graph_of_table(name), "native", prefix="m").save(tmp_path / f"{name}.o")
        symbols = [line.split()[-2:] for line in run_tool(["nm", str(path)]).splitlines()]
        assert [name for kind, name in symbols if kind == "U"] == []
        assert [name for kind, name in symbols if kind.isupper()] == ["m_predict"]


@pytest.mark.parametrize("lanes", [1, 4, 16])
@pytest.mark.parametrize("rounds", [True, False])
@pytest.mark.parametrize("name", ["ensemble", "mixed", "deep_tree", "gelu"])
def test_other_processors_registers_and_rounding(name, lanes, rounds):
    """What is written for them, as this processor runs it."""
    graph = graph_of_table(name)
    probed = Probed(machine=Machine(lanes=lanes, registers=16), rounds=rounds, size_type="i64")
    text = write_text(plan_graph(graph), "m", probed, None)
    assert ("@llvm.roundeven" in text or "@llvm.floor" in text) <= rounds
    linked = link_object(make_code(text, host_processor(), "object"))
    rows, expected = rows_with_answers(graph)
    found = np.full_like(expected, np.nan)
    rows = np.ascontiguousarray(rows, np.float32)
    assert declare(linked.address("m_predict"))(rows.ctypes.data, len(rows), found.ctypes.data) == 0
    require_agreement(found, expected)


def test_rounding_without_instructions_is_exact():
    """All halves around 2^22 and 2^23, zeros, the largest numbers, infinity and NaN."""
    special = [0.0, -0.0, 0.5, -0.5, 1.5, 2.5, -2.5, 0.49999997, np.inf, np.nan, 3e38, 1e-45, -1e-45]
    near = [base + step / 2 for base in (2.0**21, 2.0**22, 2.0**23, 2.0**24) for step in range(-9, 9)]
    x = np.float32([*special, *near, *(-np.float32(near))])[:, None]
    for op, expected in ((elementwise.Round(), np.rint(x)), (elementwise.Floor(), np.floor(x))):
        graph = graph_of_op(op, f32(None, 1))
        probed = Probed(machine=Machine(lanes=4, registers=16), rounds=False, size_type="i64")
        code = make_code(write_text(plan_graph(graph), "m", probed, None), host_processor(), "object")
        linked = link_object(code)
        found = np.zeros_like(x)
        declare(linked.address("m_predict"))(x.ctypes.data, len(x), found.ctypes.data)
        np.testing.assert_array_equal(
            found.view(np.int32)[~np.isnan(x)], expected.view(np.int32)[~np.isnan(x)]
        )
        assert np.isnan(found[np.isnan(x)]).all()
        np.testing.assert_array_equal(build_and_run(graph, "source", x), found)


@pytest.mark.parametrize("emit", ["object", "source"])
def test_a_layer_without_inputs_answers_its_bias(emit):
    kernel, bias = np.zeros((0, 2), np.float32), np.float32([1, 2])
    graph = graph_of_op(dense_ops.Dense(kernel=Tensor(kernel), bias=Tensor(bias)), f32(None, 0))
    found = build_and_run(graph, emit, np.zeros((3, 0), np.float32))
    np.testing.assert_array_equal(found, [[1, 2]] * 3)


def build_and_run(graph, emit, rows):
    """The answers of a graph's artifact, in this process."""
    if emit == "source" and shutil.which("cc") is None:
        pytest.skip("there is no cc")
    (node,) = graph.inputs
    run = get_target("native").load(build(graph, "native", emit=emit)).run
    return join_answers(graph, run({node.name: rows}))


@pytest.mark.parametrize("emit", ["object", "source"])
@examples(12, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_random_graphs_agree_with_the_interpreter(emit, data):
    graph = data.draw(graphs(any_of(TABULAR_OPS)))
    assume_plan(graph)
    feed = data.draw(feeds(graph))
    (rows,) = feed.values()
    expected = answers_of(graph, feed)
    assume(np.isfinite(expected).all() and np.abs(expected).max(initial=0) < 1e4)
    flags = SANITIZERS if emit == "source" else ["-DGUARDED"]
    with temporary_directory() as folder:
        program = link_program(folder, {"model": build(graph, "native", emit=emit)}, flags=flags)
        (found,) = run_program(program, [rows], [expected.shape[1]])
    np.testing.assert_allclose(found, expected, rtol=1e-3, atol=1e-3)


ACTIVATIONS = [each for each in ActivationFunction if each is not ActivationFunction.LINEAR]


@pytest.mark.parametrize("emit", ["object", "source"])
@pytest.mark.parametrize("function", ACTIVATIONS, ids=lambda each: each.name.lower())
def test_activations_of_all_numbers(function, emit):
    """Large ones, infinity and NaN too."""
    x = np.float32(
        [0, -0.0, 1, -1, 0.1, 8, -8, 20, -20, 88, -88, 104, -104, 1e-40, -1e30, 1e30, *range(-6, 7)]
    )
    x = np.concatenate([x, np.float32([np.inf, -np.inf, np.nan])])[:, None]
    graph = graph_of_op(dense_ops.Activation(function=function), f32(None, 1))
    expected = answers_of(graph, {graph.inputs[0].name: x})
    for row, scalar in zip(expected, x.ravel().tolist(), strict=True):
        if function in SCALARS and np.isfinite(scalar):
            with np.errstate(over="ignore"):
                row[0] = np.float32(SCALARS[function](scalar))
    found = build_and_run(graph, emit, x)
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-37)
