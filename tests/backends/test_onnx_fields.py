"""Files of ONNX with an input for each field: they answer as those of tensors do, and as the interpreter."""

from __future__ import annotations

import json
import pickle

import numpy as np
import pytest
from support.conformance import is_error, recorded_cases
from support.documents import CLASSES, DOCUMENTS, dense
from support.lowered import build, graph_of_op
from support.onnx_fields import feed_rows
from support.resources import MIXED_ROWS, RESOURCES

import sensenet
from sensenet.backends.onnx import running
from sensenet.backends.onnx.fields import category_codes, field_inputs
from sensenet.backends.onnx.names import INPUTS_KEY, IR_VERSIONS, LABEL, LABELS, PROBABILITIES
from sensenet.backends.onnx.verify import parse
from sensenet.errors import ArtifactError, SensenetError, SettingsError
from sensenet.ir.ops import dense as dense_ops
from sensenet.ir.types import Tensor, f32
from sensenet.models.wrappers import create_image_feature_extractor, create_model
from sensenet.runtime.field_cells import field_encoder
from sensenet.signature import (
    PREDICTIONS,
    Booleans,
    CategoricalColumn,
    Field,
    ImageColumn,
    Items,
    NumericColumn,
    Signature,
    Terms,
)

onnx = pytest.importorskip("onnx")
onnxruntime = pytest.importorskip("onnxruntime")

TABLES = ("typed", "legacy", "ensemble")
IMAGES = ("image", "structure", "detector")


def compile_fields(document, **options):
    return sensenet.compile(document, "onnx", inputs="fields", **options)


def run(artifact, feed):
    """What onnxruntime answers to the inputs of a whole file, as a caller without sensenet would ask it."""
    session = onnxruntime.InferenceSession(bytes(artifact), providers=["CPUExecutionProvider"])
    names = [each.name for each in session.get_outputs()]
    return dict(zip(names, session.run(names, feed), strict=True))


def feed_names(signature, rows):
    """The inputs of rows by name, which are the values themselves, but for texts and items: their counts."""
    feed = {}
    for each in field_inputs(signature):
        values = [row.get(each.field.name, row.get(each.field.id)) for row in rows]
        match each.field.encoding:
            case Terms() | Items():
                encode = field_encoder(each.field, frozenset(signature.missing_tokens))
                feed[each.name] = np.stack(encode(values), axis=1)
            case _ if isinstance(each.columns[0], CategoricalColumn):
                feed[each.name] = np.array([["" if v is None else str(v)] for v in values], object)
            case _:
                numbers = [[np.nan if value is None else value] for value in values]
                feed[each.name] = np.array(numbers, np.float32)
    return feed


def check(artifact):
    model = onnx.load_from_string(bytes(artifact))
    onnx.checker.check_model(model, full_check=True)
    onnx.shape_inference.infer_shapes(model, check_type=True, strict_mode=True, data_prop=True)
    return model


def assert_answers(document, rows, feed, **settings):
    """The file of fields answers to the bit as that of tensors, and as the interpreter but for rounding."""
    artifact = compile_fields(document, **settings)
    check(artifact)
    answers = run(artifact, feed)
    name = PROBABILITIES if PROBABILITIES in answers else PREDICTIONS
    tensors = create_model(sensenet.compile(document, "onnx", **settings))
    np.testing.assert_array_equal(answers[name], tensors(rows))
    expected = create_model(document, **settings)(rows)
    np.testing.assert_allclose(answers[name], expected, atol=2e-6, rtol=1e-4)
    if name == PROBABILITIES:
        assert [*answers] == [PROBABILITIES, LABEL]
        best = np.array(tensors.classes, object)[answers[name].argmax(1)]
        assert answers[LABEL].tolist() == best.tolist()
    return answers


def random_rows(signature, count=40):
    """Rows of cells, a third of which are missing, or of no category."""
    random = np.random.default_rng(7)
    rows = [[None] * signature.row_width for _ in range(count)]
    for column in signature.columns:
        for row in rows:
            match column:
                case NumericColumn():
                    value = float(np.float32(random.normal(column.missing, 3)))
                case CategoricalColumn():
                    value = random.choice([*filter(None, column.values), "something else"])
            row[column.index] = value if random.random() < 2 / 3 else None
    return rows


@pytest.mark.parametrize("name", TABLES)
def test_rows_with_missing_cells_are_answered_alike(name):
    document = DOCUMENTS[name]()
    signature = create_model(document).signature
    rows = random_rows(signature)
    assert_answers(document, rows, feed_rows(signature, rows))


@pytest.mark.parametrize("case", recorded_cases("real", skip=("*image*",)))
def test_real_documents_are_answered_alike(case):
    check_recorded(case.read())


@pytest.mark.slow
@pytest.mark.parametrize("case", recorded_cases("tabular", skip=("*image*",)))
def test_recorded_documents_are_answered_alike(case):
    check_recorded(case.read())


def check_recorded(record):
    if "construct_error" in record:
        pytest.skip("it records an error")
    try:
        signature = create_model(record["model"], record["settings"]).signature
        compile_fields(record["model"], settings=record["settings"])
    except SensenetError as error:
        pytest.skip(f"refused: {error}")
    rows = [row for row, out in zip(record["inputs"], record["outputs"], strict=True) if not is_error(out)]
    rows = [row for row in rows if len(row) == signature.row_width] + random_rows(signature, 10)
    tokens = signature.missing_tokens if signature.fields else ()
    rows = [[None if cell in tokens else cell for cell in row] for row in rows]
    assert_answers(record["model"], rows, feed_rows(signature, rows), settings=record["settings"])


def test_values_count_as_in_rows_by_name():
    """Texts are counts of terms, a missing number is flagged or replaced, True is a category."""
    document = RESOURCES["mixed"]()
    signature = create_model(document).signature
    answers = assert_answers(document, list(MIXED_ROWS), feed_names(signature, MIXED_ROWS))
    assert len({tuple(row) for row in answers[PROBABILITIES].tolist()}) == len(MIXED_ROWS)


def test_a_field_is_one_input_whatever_cells_it_has():
    document = RESOURCES["mixed"]()
    signature = create_model(document).signature
    model = parse(bytes(compile_fields(document)), "the file")
    assert len(model.graph.input) == len(signature.fields) < len(signature.cell_names)
    (listed,) = [json.loads(each.value) for each in model.metadata_props if each.key == INPUTS_KEY]
    assert [each["name"] for each in listed] == [each.name for each in model.graph.input]
    assert [each["label"] for each in listed] == [field.name for field in signature.fields]
    assert [name for each in listed for name in each["cells"]] == [*signature.cell_names]


@pytest.mark.parametrize("opset", [min(IR_VERSIONS), max(IR_VERSIONS)])
@pytest.mark.parametrize("name", DOCUMENTS)
def test_every_document_passes_the_checker_in_the_first_and_last_operator_set(name, opset):
    model = check(compile_fields(DOCUMENTS[name](), opset=opset))
    assert model.ir_version == onnx.helper.find_min_ir_version_for(model.opset_import)


@pytest.mark.parametrize("name", [*TABLES, *IMAGES])
def test_the_same_document_gives_the_same_bytes(name):
    first, second = (bytes(compile_fields(DOCUMENTS[name]())) for _ in range(2))
    assert first == second


@pytest.mark.parametrize("name", DOCUMENTS)
def test_a_model_of_the_file_answers_as_one_of_tensors(name, tmp_path):
    document = DOCUMENTS[name]()
    artifact = compile_fields(document)
    models = [
        create_model(artifact),
        create_model(artifact.save(tmp_path / "model.onnx")),
        create_model(tmp_path / "model.onnx", engine="onnx"),
        pickle.loads(pickle.dumps(create_model(tmp_path / "model.onnx"))),
    ]
    expected = create_model(sensenet.compile(document, "onnx"))
    image = np.random.default_rng(3).integers(0, 256, (9, 11, 3)).astype(np.float32)
    x = image if name == "detector" else [image, 2.0] if name in IMAGES else [2.5, "green", None]
    for model in models:
        assert model.engine == "onnx"
        np.testing.assert_equal(model(x), expected(x))


def images_document(count):
    """A network of the pixels of several images, which are read as 2 by 2, and of a number between them."""
    columns = [{"type": "image", "index": index} for index in range(count)]
    columns.insert(1, {"type": "numeric", "index": count, "mean": 1.0, "stdev": 2.0})
    metadata = {"base_image_network": "simple", "input_image_shape": [2, 2, 3], "loading_method": "centering"}
    return {
        "preprocess": columns,
        "image_network": {"metadata": metadata, "layers": [{"type": "flatten"}]},
        "layers": [dense(12 * count + 1, 2, "softmax")],
        "output_exposition": CLASSES,
        "trees": None,
    }


@pytest.mark.parametrize("count", [1, 3])
def test_images_are_bytes_of_any_size(count):
    document = images_document(count)
    pixels = np.random.default_rng(1).integers(0, 256, (count, 2, 7, 5, 3), np.uint8)
    rows = [[*pixels[:, row], 3.5 if row else None] for row in range(2)]
    feed = {f"column_{number}": each for number, each in enumerate(pixels)}
    answers = run(compile_fields(document), {**feed, f"column_{count}": np.float32([[np.nan], [3.5]])})
    np.testing.assert_allclose(answers[PROBABILITIES], create_model(document)(rows), atol=2e-6)


def test_boxes_have_labels():
    document = DOCUMENTS["detector"]()
    pixels = np.random.default_rng(1).integers(0, 256, (1, 20, 30, 3), np.uint8)
    answers = run(compile_fields(document), {"column_0": pixels})
    found = create_model(document)(pixels[0])
    assert found
    assert [each["label"] for each in found] == answers[LABELS][0, : len(found)].tolist()
    assert [each["box"] for each in found] == answers["boxes"][0, : len(found)].astype(int).tolist()


def test_features_are_named_as_before():
    document = DOCUMENTS["image"]()
    artifact = compile_fields(document, settings={"extract_image_features": True})
    pixels = np.random.default_rng(1).integers(0, 256, (2, 6, 8, 3), np.uint8)
    answers = run(artifact, {"column_0": pixels})
    expected = create_image_feature_extractor(document)(pixels)
    np.testing.assert_allclose(answers[PREDICTIONS], expected, atol=1e-5, rtol=1e-4)


def test_a_cell_that_columns_of_two_types_read_is_two_inputs():
    columns = [NumericColumn(index=0), CategoricalColumn(index=0, values=["1"]), ImageColumn(index=1)]
    inputs = field_inputs(Signature(columns=columns))
    assert [(each.name, each.cell) for each in inputs] == [
        ("column_0", 0),
        ("column_0_2", 0),
        ("column_1", 1),
    ]


def test_no_field_takes_the_name_of_another_tensor():
    names = [LABEL, PROBABILITIES, "Predictions", "numeric inputs", "scores", "label 2"]
    fields = [Field(id=str(number), name=name, optype="numeric") for number, name in enumerate(names)]
    columns = [NumericColumn(index=index) for index in range(len(names))]
    inputs = field_inputs(Signature(columns=columns, fields=fields))
    assert [each.name for each in inputs] == [
        *("label_2", "probabilities_2", "Predictions_2", "numeric_inputs_2", "scores_2", "label_2_2")
    ]


def test_columns_that_share_cells_or_count_from_the_end():
    document = DOCUMENTS["typed"]()
    document["preprocess"] = [
        {"type": "numeric", "index": -1, "mean": 1.5, "stdev": 2.0},
        {"type": "categorical", "index": 0, "values": ["red", "green", "green"]},
        {"type": "numeric", "index": 1, "mean": -4.0, "stdev": 3.0},
    ]
    signature = create_model(document).signature
    rows = [["red", 2.0], ["green", None], ["None", 0.5], [None, None]]
    assert_answers(document, rows, feed_rows(signature, rows))


@pytest.mark.parametrize("values", [[], [None, 3], ["", "None"], ["é", "日本", "a\0b", "a"]])
def test_any_categories(values):
    document = DOCUMENTS["typed"]()
    document["preprocess"][1]["values"] = values
    document["layers"][0] = dense(2 + len(values), 4)
    signature = create_model(document).signature
    rows = [[1.0, value, 2.0] for value in [*filter(lambda v: isinstance(v, str), values), "x", None, "3"]]
    assert_answers(document, rows, feed_rows(signature, rows))


COLUMN = CategoricalColumn(index=0, values=("7", "True", "None", "NA", "7"))
NAMED = Signature(columns=[COLUMN], missing_tokens=("", "NA"))


@pytest.mark.parametrize(
    ("text", "encoding", "code"),
    [
        ("7", None, 0),
        ("7.0", None, 0),
        ("True", None, 1),
        ("true", None, None),
        ("tRUE", Booleans(true="True", false="7"), 1),
        ("FALSE", Booleans(true="True", false="7"), 0),
        ("", None, 2),  # a missing value is the category None, as in rows by name
        ("NA", None, 2),
        ("other", None, None),
    ],
)
def test_codes_of_texts(text, encoding, code):
    field = Field(id="0", name="x", optype="categorical", encoding=encoding)
    assert category_codes(NAMED, field, COLUMN).get(text) == code


def test_codes_without_a_field_are_those_of_cells():
    assert category_codes(NAMED, None, COLUMN) == {"7": 0, "True": 1, "None": 2, "NA": 3}


def test_a_graph_without_columns_has_no_fields():
    graph = graph_of_op(dense_ops.Dense(kernel=Tensor.float32([[1.0]])), f32(None, 1))
    with pytest.raises(SettingsError, match="needs the columns of a document"):
        build(graph, "onnx", inputs="fields")


def test_more_answers_than_classes_have_no_label():
    document = DOCUMENTS["typed"]()
    document["layers"][-1] = dense(4, 3, "linear")
    with pytest.raises(SettingsError, match="names the best of 2 classes"):
        compile_fields(document)


def test_what_is_around_the_tensors_is_never_run(tmp_path, monkeypatch):
    """A stranger's file may have anything there: it is dropped before onnxruntime sees the file."""
    model = parse(bytes(compile_fields(DOCUMENTS["typed"]())), "the file")
    for node in model.graph.node:
        if node.domain:
            node.op_type, node.domain = "Anything", "evil"
    model.opset_import.add(domain="evil", version=1)
    model.graph.node.add(op_type="Anything", input=[PREDICTIONS], output=["other"])
    path = tmp_path / "model.onnx"
    path.write_bytes(model.SerializeToString())
    seen = []
    make_session = running.make_session
    monkeypatch.setattr(running, "make_session", lambda c, t: (seen.append(c), make_session(c, t))[1])
    row = [2.5, "green", None]
    expected = create_model(compile_fields(DOCUMENTS["typed"]()))(row)
    np.testing.assert_array_equal(create_model(path)(row), expected)
    for content in seen:
        assert b"Anything" not in content
        assert b"LabelEncoder" not in content


@pytest.mark.parametrize("part", ["value_info", "output", "input", "initializer", "node"])
def test_a_file_that_lacks_a_part_is_refused_or_needs_none(part, tmp_path):
    model = parse(bytes(compile_fields(DOCUMENTS["typed"]())), "the file")
    del getattr(model.graph, part)[:]
    path = tmp_path / "model.onnx"
    path.write_bytes(model.SerializeToString())
    if part == "input":  # those of fields, which the model does not read
        assert create_model(path)([2.5, "green", None]).shape == (1, 2)
    else:
        with pytest.raises(ArtifactError):
            create_model(path)
