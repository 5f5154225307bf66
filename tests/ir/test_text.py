"""The text form: what it looks like, what it reads back exactly, and what it says of text that is none."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.op_cases import CASES, floats
from support.processor_time import limit_processor_time

from sensenet.errors import TextFormError
from sensenet.ir.activation import ActivationFunction
from sensenet.ir.graph import Graph, apply, constant, same_graph
from sensenet.ir.ops.arithmetic import Add
from sensenet.ir.ops.core import Constant, Input
from sensenet.ir.ops.dense import Dense
from sensenet.ir.ops.detection import DecodeBoxes
from sensenet.ir.parser import parse_graph, parse_op
from sensenet.ir.printer import is_inline, op_weights, print_attributes, print_graph, print_tensor, weights
from sensenet.ir.types import Tensor, f32
from sensenet.signature import CategoricalColumn, Signature

NO_SIGNATURE = json.dumps(Signature().to_json(), sort_keys=True)
HEAD = "sensenet graph\n"
X = "%x = input() {type=f32[?,2]} : f32[?,2]\n"


def graph_of_constant(tensor: Tensor, signature: Signature | None = None) -> Graph:
    return Graph.create([], {"y": constant(tensor)}, signature or Signature())


def read_back(graph: Graph) -> Graph:
    return parse_graph(print_graph(graph), weights(graph))


def test_text_of_a_graph():
    x = apply(Input(type=f32(None, 2)), name="numeric_inputs")
    kernel = Tensor.float32([[1, 0.1], [-2.5, 3e-20]])
    wide = Tensor.owning(floats(2, 10))
    layer = apply(Dense(kernel=kernel, activation=ActivationFunction.RELU), x.value, name="layer_0")
    last = apply(Dense(kernel=wide, bias=Tensor.float32(np.zeros(10))), layer.value, name="layer_1")
    graph = Graph.create([x], {"predictions": last.value}, Signature())
    assert print_graph(graph) == (
        "sensenet graph\n"
        f"signature {NO_SIGNATURE}\n"
        "%numeric_inputs = input() {type=f32[?,2]} : f32[?,2]\n"
        "%layer_0 = dense(%numeric_inputs) {kernel=f32[2,2]{1.0, 0.1, -2.5, 3e-20}, bias=none, "
        "activation=relu} : f32[?,2]\n"
        f"%layer_1 = dense(%layer_0) {{kernel=#{wide.digest[:16]}:f32[2,10], "
        "bias=f32[10]{0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0}, activation=linear} : f32[?,10]\n"
        "output predictions = %layer_1\n"
    )
    assert weights(graph) == {wide.digest[:16]: wide.array}
    assert same_graph(read_back(graph), graph)


def test_text_of_other_results():
    case = CASES[DecodeBoxes][0]
    text = print_graph(case.graph())
    assert "output y0 = %node\noutput y1 = %node:1\noutput y2 = %node:2\n" in text


def test_weights_used_twice_are_written_once():
    wide = Tensor.owning(floats(20, 20))
    x = apply(Input(type=f32(None, 20)), name="x")
    layer = apply(Dense(kernel=wide), apply(Dense(kernel=Tensor(wide.array.copy())), x.value).value)
    assert len(weights(Graph.create([x], {"y": layer.value}, Signature()))) == 1


def test_op_alone_round_trips():
    op = Dense(kernel=Tensor.owning(floats(20, 3)), bias=Tensor.float32([1, 2, 3]))
    assert parse_op(f"dense {print_attributes(op)}", op_weights(op)) == op
    with pytest.raises(TextFormError, match="1:16: expected end"):
        parse_op("concatenate {} {}", {})


# Numbers, exactly


def exactly(tensor: Tensor) -> bool:
    (node,) = read_back(graph_of_constant(tensor)).nodes
    assert isinstance(node.op, Constant)
    return node.op.value.array.tobytes() == tensor.array.tobytes() and node.op.value == tensor


FLOAT32_BITS = st.integers(0, 2**32 - 1)


@given(st.lists(FLOAT32_BITS, max_size=20))
def test_any_float32_round_trips_exactly(bits):
    assert exactly(Tensor.owning(np.asarray(bits, np.uint32).view(np.float32)))


@pytest.mark.parametrize("bits", [0x00000001, 0x7F7FFFFF, 0x80000000, 0x7F800000, 0xFF800000, 0x00800000])
def test_extreme_float32_round_trip(bits):
    assert exactly(Tensor.owning(np.asarray([bits], np.uint32).view(np.float32)))


def test_the_shortest_text_is_not_enough_where_it_rounds_twice():
    """NumPy writes 7.038531e-26, which as a double lies half-way to the next float32, and rounds up."""
    unlucky = np.asarray([0x15AE43FD], np.uint32).view(np.float32)
    assert np.float32(float(str(unlucky[0]))) != unlucky[0]
    assert exactly(Tensor.owning(unlucky))


NUMBERS = (
    *("0.0", "-0.0", "1.0", "0.1", "0.00011", "1e-04", "1e-45", "16777216.0", "123456790.0"),
    *("-1000000000.0", "3000000000000000.0", "1e+16", "1.25e+16", "3.4028235e+38", "inf", "-inf"),
)


@pytest.mark.parametrize("text", NUMBERS)
def test_every_numpy_prints_the_same(text):
    """`str` of NumPy 2.5 has exponents from 16777216 on, that of 2.1 from 1e16 on."""
    assert print_tensor(Tensor.float32([float(text)])) == f"f32[1]{{{text}}}"


def test_nan_is_inline_and_other_nans_are_not():
    usual, negative = Tensor.float32([np.nan]), Tensor.owning(-np.abs(np.float32([np.nan])))
    assert print_tensor(usual) == "f32[1]{nan}"
    other = Tensor.owning(np.asarray([0xFFC00001], np.uint32).view(np.float32))
    assert not is_inline(other)
    assert exactly(usual)
    assert exactly(negative)
    assert exactly(other)


@given(st.lists(st.integers(-(2**31), 2**31 - 1), max_size=20))
def test_any_int32_round_trips_exactly(values):
    assert exactly(Tensor.int32(values))


@pytest.mark.parametrize("shape", [(), (0,), (0, 3), (2, 0, 5), (1, 1), (4, 4), (17,)])
@pytest.mark.parametrize("dtype", [np.float32, np.int32, np.bool_])
def test_any_shape_round_trips(shape, dtype):
    assert exactly(Tensor.owning((floats(*shape) > 0).astype(dtype)))


# Strings


@given(st.text(), st.text(), st.lists(st.text(), max_size=3))
def test_any_string_round_trips(name, description, categories):
    signature = Signature(
        name=name,
        description=description,
        columns=(CategoricalColumn(index=0, values=categories),),
        classes=categories,
        settings={"image_path_prefix": name},
    )
    graph = graph_of_constant(Tensor.float32([1]), signature)
    assert print_graph(graph).count("\n") == 4
    assert same_graph(read_back(graph), graph)


@pytest.mark.parametrize("name", ["a\nb", "a\r\nb", "a\x85b", "a\u2028b", "\\n", '"', "\x00", "\ud800", "😀"])
def test_line_ends_and_quotes_in_names(name):
    graph = graph_of_constant(Tensor.float32([1]), Signature(name=name))
    text = print_graph(graph)
    assert text.isascii()
    assert same_graph(parse_graph(text), graph)


# Reading by hand


def test_comments_blank_lines_and_line_ends():
    text = (
        HEAD + "\n// a comment\r\n" + X.replace("\n", "\r\n") + "\t%y=add(%x,%x,){}:f32[?,2]\n  output y=%y  "
    )
    graph = parse_graph(text)
    assert [node.op for node in graph.nodes] == [Input(type=f32(None, 2)), Add()]
    assert graph.signature == Signature()


def test_attributes_with_a_default_may_be_left_out():
    graph = parse_graph(HEAD + X + "%y = dense(%x) {kernel=f32[2,1]{1, 2}} : f32[?,1]\noutput y = %y")
    assert graph.node("y").op == Dense(kernel=Tensor.float32([[1], [2]]))


def test_nodes_that_no_output_needs_are_dropped():
    graph = parse_graph(HEAD + X + "%y = add(%x, %x) {} : f32[?,2]\noutput y = %x")
    assert [node.name for node in graph.nodes] == ["x"]


# Text that is no graph


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "1:1: expected 'sensenet graph'"),
        ("graph\n", "1:1: expected 'sensenet graph'"),
        (HEAD, "2:1: the graph has no output"),
        (HEAD + X, "3:1: the graph has no output"),
        (HEAD + X + "output y = %z", "3:12: %z is not defined above"),
        (HEAD + X + "output y = %x:1", "3:15: %x has 1 results"),
        (HEAD + X + "output y = %x:-1", "3:15: %x has 1 results"),
        (HEAD + X + f"output y = %x:{'9' * 5000}", "3:15: expected an integer"),
        (HEAD + X + "output y = %x:0.0", "3:15: expected an integer, found 0.0"),
        (HEAD + X + "output y = %x %x", "3:15: expected end, found '%x'"),
        (HEAD + X + "output y = %x\noutput y = %x", "4:8: there is an output 'y' already"),
        (HEAD + X + "output 3 = %x", "3:8: expected word, found '3'"),
        (HEAD + X + X, "3:1: %x is defined twice"),
        (HEAD + X + "hello", "3:1: expected value, found 'hello'"),
        (HEAD + X + "%y = frobnicate(%x) {} : f32[?,2]", "3:6: unknown op 'frobnicate'"),
        (HEAD + X + "%y = add(%x, %y) {} : f32[?,2]", "3:14: %y is not defined above"),
        (HEAD + X + "%y = add(%x %x) {} : f32[?,2]", "3:13: expected ',', found '%x'"),
        (HEAD + X + "%y = add(%x, %x {} : f32[?,2]", "3:17: expected ',', found '{'"),
        (HEAD + X + "%y = add(%x, %x) { : f32[?,2]", "3:20: expected word, found ':'"),
        (HEAD + X + "%y = add(%x, %x) {}", "3:20: expected ':', found the end of the line"),
        (HEAD + X + "%y = add(%x, %x) {} : f32[?", "3:28: expected ',', found the end of the line"),
        (HEAD + X + "%y = add(%x, %x) {} : f32[?,3]", "3:23: declared f32[?,3], but the op returns f32[?,2]"),
        (HEAD + X + "%y = add(%x, %x) {} : f64[?,2]", "3:23: unknown dtype 'f64'"),
        (HEAD + X + "%y = add(%x, %x) {axis=1} : f32[?,2]", "3:19: Add takes no attribute 'axis'"),
        (HEAD + X + "%y = add(%x) {} : f32[?,2]", "3:6: node 'y' (add): add takes two or more inputs"),
        (HEAD + X + "%y = flatten() {} : f32[?,2]", "3:6: node 'y' (flatten): flatten takes 1 inputs, not 0"),
        (HEAD + "%x = input() {type=f32[-1]} : f32[-1]", "2:24: expected a size, found -1"),
        (HEAD + "%x = input() {type=f32[nan]} : f32[nan]", "2:24: expected an integer, found nan"),
        (HEAD + "%x = input() {} : f32[1]", "2:14: Input: "),
        (HEAD + "%x = input() {type=f32[1], type=f32[1]} : f32[1]", "2:28: Input takes no attribute 'type'"),
        (HEAD + '%x = input() {"type"=f32[1]} : f32[1]', "2:15: expected word, found '\"type\"'"),
        (HEAD + '%x = input() {type="f32', "2:20: expected word, found '\"f32'"),
        (HEAD + "%c = constant() {value=f32[2]{1}} : f32[2]", "2:24: 1 elements do not fill f32[2]"),
        (HEAD + "%c = constant() {value=f32[0,-1]{}} : f32[0]", "2:30: expected a size"),
        (HEAD + "%c = constant() {value=f32[?]{1}} : f32[1]", "2:24: 1 elements do not fill f32[?]"),
        (HEAD + "%c = constant() {value=f32[1]{1e}} : f32[1]", "2:31: expected a number, found 1e"),
        (HEAD + "%c = constant() {value=f32[1]{0x10}} : f32[1]", "2:31: expected a number, found 0x10"),
        (HEAD + "%c = constant() {value=f32[1]{true}} : f32[1]", "2:31: expected number, found 'true'"),
        (HEAD + "%c = constant() {value=i32[1]{1.5}} : i32[1]", "2:31: expected an integer, found 1.5"),
        (HEAD + "%c = constant() {value=i32[1]{2147483648}} : i32[1]", "2:31: 2147483648 is not an i32"),
        (HEAD + "%c = constant() {value=bool[1]{1}} : bool[1]", "2:32: expected word, found '1'"),
        (HEAD + "%c = constant() {value=bool[1]{maybe}} : bool[1]", "2:32: expected true or false"),
        (HEAD + "%c = constant() {value=#12:f32[20]} : f32[20]", "2:24: the weights #12 are missing"),
        (HEAD + "%c = constant() {value=f32[" + "1," * 99 + "]{1}} : f32[1]", "2:24: f32[1,"),
        (HEAD + X + "%y = dense(%x) {kernel=f32[2]{1, 2}} : f32[?,1]", "3:6: node 'y' (dense): the kernel"),
        (HEAD + X + "%y = activation(%x) {function=sin} : f32[?,2]", "3:31: expected one of linear, relu"),
        (HEAD + X + "%y = reshape(%x) {shape=(2, x)} : f32[2]", "3:29: expected number, found 'x'"),
        (HEAD + X + "%y = pad_2d(%x) {padding=((1, 2, 3), (1, 2))} : f32[2]", "3:34: expected 2 items"),
        (HEAD + X + "%y = pad_2d(%x) {padding=((1, 2),)} : f32[2]", "3:34: expected 2 items, found 1"),
        (HEAD + "signature {}\n", "2:11: not a signature"),
        (HEAD + "signature {", "2:11: not a signature"),
        (HEAD + "signature " + "[" * 100_000, "2:11: not a signature"),
        (HEAD + 2 * f"signature {NO_SIGNATURE}\n", "3:1: a second signature"),
        (HEAD + "%\u00e9 = input() {type=f32[1]} : f32[1]", "2:1: expected value, found '%'"),
        (HEAD + "%x = input() {type=f32[\u0661]} : f32[1]", "2:24: expected number"),
        (HEAD + X + "output y = %x\udcff", "3:14: expected end"),
    ],
)
def test_what_is_wrong_and_where(text, message):
    with pytest.raises(TextFormError) as caught:
        parse_graph(text)
    assert message in str(caught.value)
    assert str(caught.value).split(": ")[0].replace(":", "").isdigit()


def test_weights_must_be_those_that_the_text_names():
    tensor = Tensor.owning(floats(20))
    graph = graph_of_constant(tensor)
    text = print_graph(graph)
    (digest,) = weights(graph)
    for wrong, message in [
        (floats(20) + 1, "the weights #.* have another digest"),
        (floats(21), r"is declared f32\[20\], but its weights are f32\[21\]"),
        (floats(20).astype(np.float64), "the IR has no dtype float64"),
    ]:
        with pytest.raises(TextFormError, match=message):
            parse_graph(text, {digest: wrong})


TEXTS = [print_graph(cases[0].graph()) for cases in CASES.values()]
WEIGHTS = {digest: array for cases in CASES.values() for digest, array in weights(cases[0].graph()).items()}


@given(st.sampled_from(TEXTS), st.data())
def test_mutilated_text_raises_only_text_form_errors(text, data):
    """Text from which a stretch is cut, or in which one is replaced, is a graph or a TextFormError."""
    start = data.draw(st.integers(0, len(text)))
    stop = data.draw(st.integers(start, min(start + 20, len(text))))
    filling = data.draw(
        st.sampled_from(
            ["", "-1", "0", "nan", "99999999999", "(", "}", "#", "%x", "none", '"', "\n", ",", "[?]"]
        )
        | st.text(max_size=3)
    )
    mutilated = text[:start] + filling + text[stop:]
    try:
        graph = parse_graph(mutilated, WEIGHTS)
    except TextFormError as error:
        line, column, _ = str(error).split(":", 2)
        return check_place(mutilated, int(line), int(column))
    assert same_graph(read_back(graph), graph)
    return None


def check_place(text: str, line: int, column: int) -> None:
    """The place is in the text, or at the end of one of its lines."""
    assert 1 <= column <= len(text.split("\n")[line - 1]) + 1


HOSTILE = {
    "unclosed": '"' + '\\"' * 100_000,
    "digits": "1" * 200_000 + "x",
    "nested": "%x = " + "(" * 200_000,
    "digest": "#" + "a" * 200_000,
    "backslashes": "\\" * 200_000,
}


@pytest.mark.parametrize("line", HOSTILE.values(), ids=HOSTILE.keys())
def test_hostile_lines_are_read_in_linear_time(line):
    with limit_processor_time(), pytest.raises(TextFormError):
        parse_graph(HEAD + line)
