"""Headers for TensorFlow Lite Micro: compilers take them, whatever a document names its fields."""

from __future__ import annotations

import re
from pathlib import Path

import attrs
import numpy as np
import pytest
from support.c_code import STANDARDS, compile_code, run_program
from support.documents import CLASSES, DOCUMENTS, FEATURES, ROW, dense, image, network, tree, typed
from support.lowered import graph_of_op
from support.resources import RESOURCES

import sensenet
from sensenet.backends.c.header import read_model
from sensenet.backends.c.operators import choose_in_floats, resolver_methods
from sensenet.backends.c_code.literals import LONGEST_LITERAL, LONGEST_NAME, WORDS, number, prefix_of
from sensenet.backends.c_code.rows import find_members
from sensenet.backends.tflite.flatbuffer import unpack
from sensenet.compiler.driver import compile_targets
from sensenet.errors import ArtifactError, LimitError, SettingsError, UnknownTargetError, UnsupportedOpError
from sensenet.frontend import import_graph
from sensenet.ir.evaluate import prepare
from sensenet.ir.graph import same_graph
from sensenet.ir.ops import dense as dense_ops
from sensenet.ir.ops import rearrangement
from sensenet.ir.types import DType, Tensor, TensorType, f32
from sensenet.signature import Field

pytest.importorskip("ai_edge_litert")

TABLES = {"typed": typed, "ensemble": DOCUMENTS["ensemble"], "mixed": RESOURCES["mixed"]}

MAIN = """\
#include <stdio.h>
{before}
#include "model.h"
{after}
int main(void) {{
  size_t i;
  {prefix}_row row;
  float inputs[{upper}_INPUTS];
  memset(&row, 0, sizeof row);
  {prefix}_encode(&row, inputs);
  printf("%d\\n", (int)((size_t){prefix}_tflite % 16));
  printf("%d\\n", (int)(sizeof {prefix}_tflite == {upper}_TFLITE_SIZE && {upper}_ARENA_SIZE > 0));
  for (i = 0; i < sizeof {prefix}_tflite; ++i) printf("%02x", {prefix}_tflite[i]);
  printf("\\n");
  {more}
  return 0;
}}
"""

TEXT = """\
  for (i = 0; i < sizeof {array} / sizeof *{array}; ++i) {{
    const unsigned char *each = (const unsigned char *){array}[i];
    while (*each) printf("%02x", *each++);
    printf("\\n");
  }}
"""


def run_header(folder, artifact, standard, more="", before="", after="", prefix=None):
    """What a program prints that includes the header, after the bytes of the network."""
    (folder / "model.h").write_bytes(bytes(artifact))
    prefix = prefix or prefix_of(artifact.graph.signature.name)
    names = {"prefix": prefix, "upper": prefix.upper()}
    code = MAIN.format(before=before, after=after, more=more, **names)
    aligned, sized, content, *lines = run_program(compile_code(folder, code, standard))
    assert (aligned, sized) == ("0", "1")
    assert bytes.fromhex(content) == read_model(bytes(artifact))
    return lines


@pytest.mark.parametrize("standard", STANDARDS)
@pytest.mark.parametrize("name", TABLES)
def test_compilers_take_the_header(tmp_path, name, standard):
    run_header(tmp_path, sensenet.compile(TABLES[name](), "c"), standard)


def test_it_has_the_network_that_the_target_tflite_writes():
    document = typed()
    for options in ({}, {"batch": 3}):
        artifact = sensenet.compile(document, "c", **options)
        graph = unpack(read_model(bytes(artifact))).subgraphs[0]
        other = unpack(bytes(sensenet.compile(document, "tflite", batch=options.get("batch", 1))))
        assert graph.tensors[graph.inputs[0]].shape.tolist() == [options.get("batch", 1), 3]
        assert [each.shapeSignature for each in graph.tensors] == [None] * len(graph.tensors)
        assert len(graph.operators) == len(other.subgraphs[0].operators)
        rows = [list(ROW), [None, "red", 3], [1, "none", 2]]
        answers = sensenet.create_model(artifact)(rows)
        np.testing.assert_allclose(answers, sensenet.create_model(document)(rows), rtol=1e-5)
        assert f"ROWS {options.get('batch', 1)} " in bytes(artifact).decode()


@pytest.mark.parametrize("mode", ["int8", "auto"])
def test_whole_numbers_answer_as_the_target_tflite_does(mode):
    rows = [[0.25 * place, ("red", "green")[place % 2], place] for place in range(20)]
    options = {"quantize": mode, "calibration": rows}
    document = network([dense(FEATURES, 8), dense(8, 8), dense(8, 2, "softmax")])
    artifact = sensenet.compile(document, "c", **options)
    assert {"AddQuantize", "AddDequantize"} <= set(re.findall(r"resolver\.(\w+)", bytes(artifact).decode()))
    other = sensenet.compile(document, "tflite", batch=1, **options)
    answers = [sensenet.create_model(each)(rows) for each in (artifact, other)]
    np.testing.assert_array_equal(*answers)


def test_the_same_document_gives_the_same_bytes():
    first, second = (bytes(sensenet.compile(typed(), "c")) for _ in range(2))
    assert first == second


def test_each_target_has_its_own_batch():
    shapes = [each.graph.inputs[0].types[0].shape for each in compile_targets(typed(), ["tflite", "c", "ir"])]
    assert shapes == [(None, 3), (1, 3), (None, 3)]


def test_the_operators_are_added(tmp_path):
    artifact = sensenet.compile(typed(), "c")
    header = bytes(artifact).decode()
    methods = [
        line.split("resolver.")[1].split("(")[0] for line in header.splitlines() if "resolver." in line
    ]
    assert "AddFullyConnected" in methods
    assert methods == sorted(set(methods))
    calls = "".join(f"  int {method}() {{ return ++calls > limit; }}\n" for method in methods)
    after = f"struct Resolver {{ int calls, limit;\n{calls}}};\n"
    more = """
      Resolver all = {0, MODEL_OPERATORS}, fewer = {0, MODEL_OPERATORS - 1};
      printf("%d ", (int)model_add_operators(all));
      printf("%d %d", all.calls, (int)model_add_operators(fewer));
    """
    (line,) = run_header(tmp_path, artifact, "c++11", more, after=after)
    assert line == f"1 {len(methods)} 0"


def test_it_may_be_included_as_c(tmp_path):
    run_header(tmp_path, sensenet.compile(typed(), "c"), "c++17", before='extern "C" {', after="}")


HOSTILE = (
    *("int", "class", "INT", "linux", "int 2", "a b", "a_b", "a__b", "A-B", "", "*/", "/*", "??/", "???/\n"),
    *('"', "\\", "\\\n", "line\nbreak\r\t", "%s%n", "Größe", "größe", "3 times", "_Bool", "NULL", "row"),
    *("\x00zero", "💡", "x" * 5000, "x" * 5000 + "y", "é" * 3000, "q" * LONGEST_LITERAL, "'" * 4096),
)


def hostile_graph(name):
    """A graph whose name, fields, categories and classes are hostile."""
    names = (*HOSTILE, name)
    fields = [Field(id=f"{place:06x}", name=each, optype="numeric") for place, each in enumerate(names)]
    document = network([dense(len(HOSTILE) * 2, len(HOSTILE), "softmax")])
    document["preprocess"] = [
        *({"type": "numeric", "index": index, "mean": 0.0, "stdev": 1.0} for index in range(len(HOSTILE))),
        {"type": "categorical", "index": len(HOSTILE), "values": list(HOSTILE)},
    ]
    document["output_exposition"] = {"type": "categorical", "values": list(HOSTILE)}
    graph = import_graph(document)
    signature = attrs.evolve(graph.signature, name=name, fields=fields, missing_tokens=HOSTILE[-4:])
    return attrs.evolve(graph, signature=signature)


@pytest.mark.parametrize("standard", STANDARDS)
@pytest.mark.parametrize("prefix", ["int", "My2nd_Model", "x" * LONGEST_NAME, "M"])
def test_names_begin_with_a_given_prefix(tmp_path, prefix, standard):
    run_header(tmp_path, sensenet.compile(typed(), "c", prefix=prefix), standard, prefix=prefix)


@pytest.mark.parametrize("standard", STANDARDS)
def test_a_program_has_two_models(tmp_path, standard):
    (tmp_path / "other.h").write_bytes(bytes(sensenet.compile(typed(), "c", prefix="other")))
    artifact = sensenet.compile(TABLES["mixed"](), "c", prefix="one")
    more = """
      other_row other;
      float numbers[OTHER_INPUTS];
      memset(&other, 0, sizeof other);
      other_encode(&other, numbers);
      printf("%d\\n", (int)(sizeof other_tflite == OTHER_TFLITE_SIZE));
    """
    lines = run_header(tmp_path, artifact, standard, more, '#include "other.h"', prefix="one")
    assert lines == ["1"]


@pytest.mark.parametrize(
    "prefix", ["", "_a", "a_", "a__b", "3d", "a-b", "größe", "a b", "a\n", "x" * (LONGEST_NAME + 1), 3, True]
)
def test_a_prefix_is_the_beginning_of_names_of_c(prefix):
    with pytest.raises(UnknownTargetError, match=r"the option prefix is .*; expected a letter, then"):
        sensenet.compile(typed(), "c", prefix=prefix)


def until_zero(text):
    return text.encode("utf-8", "surrogatepass").partition(b"\0")[0].hex()


@pytest.mark.parametrize("standard", STANDARDS)
@pytest.mark.parametrize("name", ["", "int", "*/ ??/ \\", "7 up", "\udc80", "Größe " * 2000], ids=range(6))
def test_hostile_names(tmp_path, name, standard):
    artifact = sensenet.compile(hostile_graph(name), "c")
    prefix = prefix_of(name)
    more = "".join(TEXT.format(array=f"{prefix}_{each}") for each in ("labels", "fields"))
    lines = run_header(tmp_path, artifact, standard, more)
    assert lines == [until_zero(each) for each in (*artifact.graph.signature.classes, *HOSTILE, name)]
    assert bytes(artifact).isascii()


def test_members_are_distinct_names_of_c():
    members = [member.name for member in find_members(hostile_graph("x").signature)]
    assert len(set(members)) == len(members) == len(HOSTILE) + 1
    for member in members:
        assert member.isidentifier()
        assert member.islower()
        assert "__" not in member
        assert member not in WORDS
        assert len(member) <= LONGEST_NAME + len("_field")


@pytest.mark.parametrize("value", [0, -0.0, 1, -1, 0.1, 1e-45, 3.4028234e38, 1e16, 123456789, 1 / 3])
def test_numbers_are_exact(value):
    text = number(value)
    assert text.endswith("f")
    assert np.float32(float(text[:-1])) == np.float32(value)
    assert set(text) & set(".e")


def test_a_header_is_not_opened(tmp_path):
    path = sensenet.compile(typed(), "c").save(tmp_path / "model.h")
    for action in (sensenet.create_model, lambda path: sensenet.compile(path, "numpy")):
        with pytest.raises(ArtifactError, match=r"model\.h is C code.*-t tflite"):
            action(path)


def test_images_of_any_size_are_refused():
    with pytest.raises(SettingsError, match=r"one size: .*image_size=HEIGHTxWIDTH, such as .* own, 6x8$"):
        sensenet.compile(image(), "c")


def test_detectors_are_refused():
    with pytest.raises(SettingsError, match="lacks operators that find boxes: use -t tflite"):
        sensenet.compile(DOCUMENTS["detector"](), "c", image_size="16x16")


def only_image():
    """A network of the pixels of one image, which is read as 2 by 3."""
    metadata = {"base_image_network": "simple", "input_image_shape": [3, 2, 3], "loading_method": "centering"}
    return {
        "preprocess": [{"type": "image", "index": 0}],
        "image_network": {"metadata": metadata, "layers": [{"type": "flatten"}]},
        "layers": [dense(18, 2, "softmax")],
        "output_exposition": CLASSES,
        "trees": None,
    }


def defined(artifact, name):
    return int(re.search(rf"#define MODEL_{name} (\d+)", bytes(artifact).decode())[1])


@pytest.mark.parametrize("standard", ["c99", "c++17"])
def test_a_row_with_an_image(tmp_path, standard):
    """The other columns are encoded; the image is an input of its own."""
    artifact = sensenet.compile(image(), "c", image_size="6x8")
    assert [defined(artifact, name) for name in ("PIXELS", "IMAGES", "HEIGHT", "WIDTH", "CHANNELS")] == [
        *(6 * 8 * 3, 1, 6, 8, 3)
    ]
    assert {defined(artifact, "PIXEL_INPUT"), defined(artifact, "NUMERIC_INPUT")} == {0, 1}
    run_header(tmp_path, artifact, standard)
    pixels = np.random.default_rng(1).integers(0, 256, (6, 8, 3)).astype(np.float32)
    row = [pixels, 2.0]
    expected = sensenet.create_model(image())(row)
    np.testing.assert_allclose(sensenet.create_model(artifact)(row), expected, rtol=1e-4)


def test_an_image_alone_has_no_encoder(tmp_path):
    artifact = sensenet.compile(only_image(), "c", image_size="2x3")
    assert "model_row" not in bytes(artifact).decode()
    assert [node.name for node in artifact.graph.inputs] == ["image_pixel_inputs"]
    (tmp_path / "model.h").write_bytes(bytes(artifact))
    compile_code(tmp_path, '#include "model.h"\nint main(void) { return MODEL_LABELS - 2; }\n', "c99")


def test_a_graph_without_columns_is_refused():
    graph = graph_of_op(dense_ops.Dense(kernel=Tensor.float32([[1.0]])), f32(None, 1))
    with pytest.raises(SettingsError, match="needs the columns of a document"):
        sensenet.compile(graph, "c")


def test_gelu_is_made_of_operators_that_it_has():
    document = network([dense(FEATURES, 3, "gelu"), dense(3, 2, "softmax")])
    artifact = sensenet.compile(document, "c")
    assert "AddExp" in bytes(artifact).decode()
    rows = [list(ROW), [None, "red", 3], [-40, None, 100.0]]
    expected = sensenet.create_model(document)(rows)
    np.testing.assert_allclose(sensenet.create_model(artifact)(rows), expected, rtol=1e-5)


def test_an_operator_that_it_lacks_is_named():
    tree = unpack(bytes(sensenet.compile(network([dense(FEATURES, 3, "gelu"), dense(3, 2)]), "tflite")))
    with pytest.raises(UnsupportedOpError, match="has no GELU: use -t tflite"):
        resolver_methods(tree)


def deep_tree():
    return network([dense(FEATURES + 2, 2)], trees=[[[0, 5], [tree(8)]]])


def test_tables_of_whole_numbers_are_looked_up_as_floats():
    artifact = sensenet.compile(deep_tree(), "c")
    rows = [list(ROW), [None, "red", 3], [0.35, "blue", 0.5], [-7, None, 100.0]]
    expected = sensenet.create_model(deep_tree())(rows)
    np.testing.assert_allclose(sensenet.create_model(artifact)(rows), expected, rtol=1e-5)


@pytest.mark.parametrize(("largest", "looked_up"), [(1 << 24, True), ((1 << 24) + 1, False)])
@pytest.mark.parametrize("sign", [1, -1])
def test_whole_numbers_that_float32_rounds_are_not(largest, looked_up, sign):
    table = Tensor(np.array([0, sign * largest], np.int32))
    graph = graph_of_op(rearrangement.Lookup(table=table), TensorType(DType.INT32, (None,)))
    changed = choose_in_floats(graph)
    assert same_graph(changed, graph) is not looked_up
    x = np.array([1, 0, 1], np.int32)
    (name,) = [node.name for node in graph.inputs]
    for one, other in zip(
        prepare(changed)({name: x}).values(), prepare(graph)({name: x}).values(), strict=True
    ):
        np.testing.assert_array_equal(one, other, strict=True)


def test_options_are_those_that_it_has():
    with pytest.raises(UnknownTargetError, match=r"quantize is 'float16'.*expected one of none, int8"):
        sensenet.compile(typed(), "c", quantize="float16")
    with pytest.raises(UnknownTargetError, match="batch is 0"):
        sensenet.compile(typed(), "c", batch=0)


TFLM = """\
#include <cstddef>
#include <cstdint>
enum TfLiteStatus { kTfLiteOk = 0, kTfLiteError = 1 };
namespace tflite {
struct Model;
const Model *GetModel(const void *);
struct MicroOpResolver {};
template <unsigned int most>
struct MicroMutableOpResolver : MicroOpResolver {
METHODS
};
struct MicroInterpreter {
  MicroInterpreter(const Model *, const MicroOpResolver &, uint8_t *, size_t);
  TfLiteStatus AllocateTensors();
  TfLiteStatus Invoke();
  template <class T> T *typed_input_tensor(int);
  template <class T> T *typed_output_tensor(int);
};
}
"""
"""The declarations of TensorFlow Lite Micro that the page's program needs: its sources are not there."""


def test_the_program_of_the_page_is_compiled(tmp_path):
    """Against declarations alone; it is not linked."""
    page = (Path(__file__).parents[2] / "docs/targets.md").read_text("utf-8")
    (program,) = re.findall("```cpp\n(.*?)```", page, re.DOTALL)
    content = bytes(sensenet.compile(Path(__file__).parents[2] / "examples/iris.json", "c"))
    (tmp_path / "iris.h").write_bytes(content)
    methods = re.findall(r"resolver\.(\w+)", content.decode())
    declared = TFLM.replace("METHODS", "\n".join(f"TfLiteStatus {method}();" for method in methods))
    (tmp_path / "tflm.h").write_text(declared)
    code = re.sub('#include "tensorflow/.*"', "", program).replace('"iris.h"', '"iris.h"\n#include "tflm.h"')
    compile_code(tmp_path, code, "c++17", "-c")


def test_a_large_header_is_refused(monkeypatch):
    monkeypatch.setenv("SENSENET_MEMORY_LIMIT", "4KiB")
    with pytest.raises(LimitError, match="a header of the network needs"):
        sensenet.compile(import_graph(typed()), "c")
