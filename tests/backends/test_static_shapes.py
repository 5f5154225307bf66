"""Files for one size of batches and images: no size in them is open, and models of them take any rows."""

from __future__ import annotations

import json
import pickle

import numpy as np
import pytest
from support.conformance import recorded_cases
from support.documents import DOCUMENTS
from support.onnx_fields import feed_rows

import sensenet
from sensenet.backends import TARGETS
from sensenet.backends.onnx.names import PROBABILITIES
from sensenet.backends.onnx.verify import parse
from sensenet.backends.static_shapes import StaticShapes, in_batches
from sensenet.backends.tfjs.names import MODEL_FILE
from sensenet.backends.tflite.interpreter import Interpreter
from sensenet.backends.tflite.reading import read_model
from sensenet.compiler.driver import compile_targets
from sensenet.compiler.verify.verification import compare, generated_checks
from sensenet.errors import (
    ArtifactError,
    InputError,
    LimitError,
    SensenetError,
    SettingsError,
    UnknownTargetError,
)
from sensenet.frontend import import_graph
from sensenet.ir.graph import Graph, apply
from sensenet.ir.ops.core import Input
from sensenet.ir.ops.dense import Dense
from sensenet.ir.ops.image import Rescale
from sensenet.ir.ops.rearrangement import Flatten
from sensenet.ir.static_shapes import ImageSize, fix_batch, fix_image_size
from sensenet.ir.types import Tensor, f32
from sensenet.models.wrappers import create_model
from sensenet.signature import (
    NUMERIC_INPUT,
    PIXEL_INPUT,
    PREDICTIONS,
    ImageColumn,
    ImageInput,
    RescaleType,
    Signature,
)

onnx = pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")
pytest.importorskip("ai_edge_litert")

FILES = ("onnx", "tflite", "tfjs")
IMAGES = ("image", "structure", "detector")
HEIGHT, WIDTH = 20, 14
SIZE = f"{HEIGHT}x{WIDTH}"
BATCH = 3
RESCALE = Rescale(height=2, width=2, method=RescaleType.WARP)


def compile_static(name, target, **options):
    sizes = {"image_size": SIZE} if name in IMAGES else {}
    return sensenet.compile(DOCUMENTS[name](), target, **{"batch": BATCH, **sizes, **options})


def rows_of(name, count):
    """Rows of a document: of columns, of an image and a number, or images alone."""
    random = np.random.default_rng(5)
    if name not in IMAGES:
        return [[random.normal(), ("red", "blue", "no color")[row % 3], None] for row in range(count)]
    pixels = random.integers(0, 256, (count, HEIGHT, WIDTH, 3)).astype(np.float32)
    return [*pixels] if name == "detector" else [[image, 0.5] for image in pixels]


def assert_same(found, expected):
    if isinstance(expected, list):
        assert found == expected
    else:
        np.testing.assert_allclose(found, expected, rtol=1e-6, atol=1e-7)


def open_sizes_of_onnx(artifact):
    """The names of results whose size the file leaves open, but for those inside of loops."""
    model = onnx.load_from_string(bytes(artifact))
    onnx.checker.check_model(model, full_check=True)
    inferred = onnx.shape_inference.infer_shapes(model, check_type=True, strict_mode=True, data_prop=True)
    graph = inferred.graph
    bodies = [each.g for node in graph.node for each in node.attribute if each.HasField("g")]
    declared = [*graph.input, *graph.value_info, *graph.output]
    declared += [each for body in bodies for each in (*body.input, *body.output)]
    known = {
        each.name
        for each in declared
        if each.type.tensor_type.HasField("shape")
        and all(size.HasField("dim_value") for size in each.type.tensor_type.shape.dim)
    }
    results = {name for node in graph.node for name in node.output}
    return (results | {each.name for each in declared}) - known


def open_sizes_of_tflite(artifact):
    """The names of tensors whose size the file leaves open, in loops too."""
    tensors = [each for graph in read_model(bytes(artifact))["subgraphs"] for each in graph["tensors"]]
    return {each["name"] for each in tensors if len(each["signature"])}


def open_sizes_of_tfjs(artifact):
    """The names of inputs and outputs whose size the file leaves open, and of nodes that ask for a size."""
    model = json.loads(artifact.files[MODEL_FILE])
    declared = {**model["signature"]["inputs"], **model["signature"]["outputs"]}
    shapes = {name: each["tensorShape"]["dim"] for name, each in declared.items()}
    nodes = model["modelTopology"]["node"]
    shapes |= {
        node["name"]: node["attr"]["shape"]["shape"]["dim"] for node in nodes if node["op"] == "Placeholder"
    }
    return {name for name, shape in shapes.items() if any(int(each["size"]) < 0 for each in shape)} | {
        node["name"] for node in nodes if node["op"] == "Shape"
    }


OPEN_SIZES = {"onnx": open_sizes_of_onnx, "tflite": open_sizes_of_tflite, "tfjs": open_sizes_of_tfjs}


@pytest.mark.parametrize("target", FILES)
@pytest.mark.parametrize("name", DOCUMENTS)
def test_every_size_is_known(name, target):
    assert OPEN_SIZES[target](compile_static(name, target)) == set()
    assert OPEN_SIZES[target](sensenet.compile(DOCUMENTS[name](), target)) != set()


@pytest.mark.parametrize("name", DOCUMENTS)
def test_every_size_is_known_with_an_input_for_each_field(name):
    assert open_sizes_of_onnx(compile_static(name, "onnx", inputs="fields")) == set()


@pytest.mark.parametrize("level", [0, 1])
def test_every_size_is_known_at_lower_levels(level):
    for name in ("ensemble", "image"):
        for target in FILES:
            assert not OPEN_SIZES[target](compile_static(name, target, optimize=level))


@pytest.mark.parametrize("target", FILES)
@pytest.mark.parametrize("name", DOCUMENTS)
def test_models_take_any_number_of_rows(name, target, tmp_path):
    rows = rows_of(name, 2 * BATCH + 1)
    expected = create_model(sensenet.compile(DOCUMENTS[name](), target))
    path = compile_static(name, target).save(tmp_path / f"model{TARGETS[target].suffix}")
    models = [create_model(path), pickle.loads(pickle.dumps(create_model(path)))]
    for count in (1, BATCH, 2 * BATCH + 1):
        for model in models:
            assert_same(model(rows[:count]), expected(rows[:count]))


@pytest.mark.parametrize("target", FILES)
@pytest.mark.parametrize("rows", [0, 1, 5000])
@pytest.mark.parametrize("batch", [1, 64, 4500])
def test_batches_of_any_size(batch, rows, target):
    executable = TARGETS[target].load(compile_static("typed", target, batch=batch))
    x = np.random.default_rng(1).normal(size=(rows, 3)).astype(np.float32)
    (found,) = executable.run({NUMERIC_INPUT: x}).values()
    dynamic = TARGETS[target].load(sensenet.compile(DOCUMENTS["typed"](), target))
    np.testing.assert_allclose(found, dynamic.run({NUMERIC_INPUT: x})[PREDICTIONS], atol=1e-6)
    with pytest.raises(InputError, match=r"expected f32\[\?,3\]"):
        executable.run({NUMERIC_INPUT: x[:, :2]})


@pytest.mark.parametrize("name", ["typed", "image", "detector"])
def test_other_engines_run_the_same_graph(name):
    """An artifact keeps its graph, which is for one size too."""
    rows = rows_of(name, BATCH + 1)
    expected = create_model(DOCUMENTS[name](), engine="numpy")(rows)
    found = create_model(compile_static(name, "tflite"), engine="numpy")(rows)
    if name == "detector":
        assert [[(x["box"], x["label"]) for x in each] for each in found] == [
            [(x["box"], x["label"]) for x in each] for each in expected
        ]
    else:
        np.testing.assert_allclose(found, expected, atol=2e-6)


def test_a_batch_takes_what_a_caller_without_sensenet_gives():
    """The very file, in its own runtime, with a full batch."""
    artifact = compile_static("typed", "tflite")
    interpreter = Interpreter(bytes(artifact), 1)
    assert interpreter.inputs == {NUMERIC_INPUT: f32(BATCH, 3)}
    assert interpreter.outputs == {PREDICTIONS: f32(BATCH, 2)}
    x = np.random.default_rng(1).normal(size=(BATCH, 3)).astype(np.float32)
    expected = TARGETS["tflite"].load(artifact).run({NUMERIC_INPUT: x})
    np.testing.assert_array_equal(interpreter({NUMERIC_INPUT: x})[PREDICTIONS], expected[PREDICTIONS])


def test_a_batch_with_an_input_for_each_field():
    import onnxruntime

    artifact, document = compile_static("typed", "onnx", inputs="fields"), DOCUMENTS["typed"]()
    session = onnxruntime.InferenceSession(bytes(artifact), providers=["CPUExecutionProvider"])
    assert [each.shape for each in session.get_inputs()] == [[BATCH, 1]] * 3
    assert [each.shape for each in session.get_outputs()] == [[BATCH, 2], [BATCH]]
    model, rows = create_model(document), rows_of("typed", BATCH)
    (found,) = session.run([PROBABILITIES], feed_rows(model.signature, rows))
    np.testing.assert_allclose(found, model(rows), atol=2e-6)
    np.testing.assert_allclose(create_model(artifact)(rows * 2), model(rows * 2), atol=2e-6)


ARITHMETIC_OF_SIZES = {
    "onnx": {"Shape", "Range", "Floor", "Round", "Expand"},
    "tflite": {"SHAPE", "RANGE", "FLOOR", "ROUND", "FILL", "PACK"},
    "tfjs": {"Shape", "Range", "Floor", "Round", "Fill"},
}


def kinds_of(target, artifact):
    if target == "onnx":
        return {node.op_type for node in parse(bytes(artifact), "the file").graph.node}
    if target == "tfjs":
        return {node["op"] for node in json.loads(artifact.files[MODEL_FILE])["modelTopology"]["node"]}
    from sensenet.backends.tflite.flatbuffer import import_schema, unpack

    names = {code: name for name, code in vars(import_schema().BuiltinOperator).items()}
    return {names[each.builtinCode] for each in unpack(bytes(artifact)).operatorCodes}


@pytest.mark.parametrize("target", FILES)
@pytest.mark.parametrize("method", RescaleType)
def test_rescaling_becomes_pixels_at_known_places(method, target):
    document = DOCUMENTS["structure"]()
    document["image_network"]["metadata"]["rescale_type"] = method.value
    dynamic = sensenet.compile(document, target)
    static = sensenet.compile(document, target, batch=1, image_size=SIZE)
    assert ARITHMETIC_OF_SIZES[target] & kinds_of(target, dynamic)
    assert not ARITHMETIC_OF_SIZES[target] & kinds_of(target, static)
    pixels = np.random.default_rng(2).integers(0, 256, (2, HEIGHT, WIDTH, 3)).astype(np.float32)
    feed = {PIXEL_INPUT: pixels, NUMERIC_INPUT: np.float32([[0, 1], [0, 2]])}
    answers = [TARGETS[target].load(each).run(feed)[PREDICTIONS] for each in (dynamic, static)]
    np.testing.assert_allclose(*answers, rtol=1e-6, atol=1e-7)


@pytest.mark.parametrize("target", FILES)
def test_images_of_the_networks_own_size_are_not_rescaled(target):
    """The document reads images of 8 columns and 6 rows."""
    artifact = sensenet.compile(DOCUMENTS["structure"](), target, batch=1, image_size="6x8")
    assert not {"Gather", "GATHER", "GatherV2"} & kinds_of(target, artifact)
    image = np.random.default_rng(2).integers(0, 256, (17, 31, 3)).astype(np.float32)
    dynamic = create_model(sensenet.compile(DOCUMENTS["structure"](), target))
    assert_same(create_model(artifact)([image, 2.0]), dynamic([image, 2.0]))


def test_one_option_leaves_the_other_size_open():
    document = DOCUMENTS["image"]()
    batch = sensenet.compile(document, "onnx", batch=2).graph
    size = sensenet.compile(document, "onnx", image_size=SIZE).graph
    assert [each.types[0] for each in batch.inputs] == [f32(2, 2), f32(2, None, None, 3)]
    assert [each.types[0] for each in size.inputs] == [f32(None, 2), f32(None, HEIGHT, WIDTH, 3)]
    rows = rows_of("image", 3)
    expected = create_model(document)(rows)
    for options in ({"batch": 2}, {"image_size": SIZE}):
        for target in FILES:
            model = create_model(sensenet.compile(document, target, **options))
            np.testing.assert_allclose(model(rows), expected, atol=2e-6)


def test_images_of_another_size_are_rescaled_to_it_first():
    model = create_model(compile_static("image", "tflite"))
    assert (model.signature.image.height, model.signature.image.width) == (HEIGHT, WIDTH)
    image = np.random.default_rng(2).integers(0, 256, (2 * HEIGHT, 2 * WIDTH, 3)).astype(np.float32)
    smaller = image[1::2, 1::2]  # the nearest pixels of half the size
    np.testing.assert_array_equal(model([image, 1.0]), model([smaller, 1.0]))


@pytest.mark.parametrize("target", [*FILES, "numpy"])
def test_a_detector_refuses_images_of_another_size(target):
    """It names the images that were given, not a batch that they fill."""
    artifact = compile_static("detector", "onnx" if target == "numpy" else target)
    executable = (
        TARGETS["numpy"].execute(artifact.graph) if target == "numpy" else TARGETS[target].load(artifact)
    )
    with pytest.raises(InputError, match=r"is float32\[1, 8, 8, 3\], expected f32\[\?,20,14,3\]"):
        executable.run({PIXEL_INPUT: np.zeros((1, 8, 8, 3), np.float32)})
    with pytest.raises(InputError, match=r"expected f32\[.,20,14,3\]"):
        create_model(artifact)(np.zeros((8, 8, 3), np.float32))


@pytest.mark.parametrize("mode", ["float16", "weights", "dynamic"])
@pytest.mark.parametrize("name", ["typed", "image"])
def test_stored_in_fewer_bits(name, mode):
    rows = rows_of(name, BATCH + 1)
    artifact = compile_static(name, "tflite", quantize=mode)
    assert not open_sizes_of_tflite(artifact)
    expected = create_model(sensenet.compile(DOCUMENTS[name](), "tflite", quantize=mode))(rows)
    np.testing.assert_allclose(create_model(artifact)(rows), expected, atol=1e-5)


def test_calibrated_in_batches():
    rows = rows_of("image", BATCH + 1)
    artifact = compile_static("image", "tflite", quantize="int8", calibration=rows)
    assert not open_sizes_of_tflite(artifact)
    assert artifact.report.verification.rows == len(rows)
    dynamic = sensenet.compile(DOCUMENTS["image"](), "tflite", quantize="int8", calibration=rows)
    np.testing.assert_allclose(create_model(artifact)(rows), create_model(dynamic)(rows), atol=1e-6)


def test_calibration_rows_fill_batches():
    feeds = [{"x": np.arange(5), "y": np.arange(5) * 10}, {"x": np.arange(1), "y": np.arange(1)}]
    found = [(feed["x"].tolist(), feed["y"].tolist()) for feed in in_batches(feeds, 2)]
    assert found == [([0, 1], [0, 10]), ([2, 3], [20, 30]), ([4, 4], [40, 40]), ([0, 0], [0, 0])]
    assert [*in_batches(feeds, None)] == feeds


@pytest.mark.parametrize(("name", "target"), [("typed", "onnx"), ("detector", "tflite")])
def test_verified_with_rows_of_any_number(name, target):
    verification = compile_static(
        name, target, verify=True, rows=rows_of(name, BATCH + 1)
    ).report.verification
    assert verification.rows % BATCH


def test_several_targets_share_the_sizes():
    artifacts = compile_targets(DOCUMENTS["typed"](), FILES, batch=2)
    assert [each.graph.inputs[0].types[0].shape for each in artifacts] == [(2, 3)] * len(FILES)


def test_on_the_command_line(tmp_path, monkeypatch):
    from sensenet.cli.compile import main

    monkeypatch.chdir(tmp_path)
    (tmp_path / "m.json").write_text(json.dumps(DOCUMENTS["image"]()))
    options = ["--option", "batch=2", "--option", f"image_size={SIZE}"]
    assert main(["m.json", "-t", "tflite", *options]) == 0
    assert not open_sizes_of_tflite((tmp_path / "m.tflite").read_bytes())


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"batch": 0}, "the option batch is 0; expected a positive integer"),
        ({"batch": "2"}, "the option batch is '2'; expected a positive integer"),
        ({"batch": True}, "expected a positive integer"),
        ({"image_size": 224}, "the option image_size is 224; expected HEIGHTxWIDTH"),
        ({"image_size": "224"}, "expected HEIGHTxWIDTH"),
        ({"image_size": "0x5"}, "expected HEIGHTxWIDTH"),
        ({"image_size": "2x2x2"}, "expected HEIGHTxWIDTH"),
        ({"image_size": "²x²"}, "expected HEIGHTxWIDTH"),
        ({"image_sise": SIZE}, "did you mean 'image_size'"),
    ],
)
@pytest.mark.parametrize("target", FILES)
def test_wrong_sizes_are_refused(target, options, message):
    with pytest.raises(UnknownTargetError, match=message):
        sensenet.compile(DOCUMENTS["typed"](), target, **options)


@pytest.mark.parametrize("batch", [1 << 28, 1 << 31, 10**30])
@pytest.mark.parametrize("target", [*FILES, "c"])
def test_batches_that_no_memory_holds_are_refused(target, batch):
    with pytest.raises(LimitError, match=rf"the input numeric_inputs of f32\[{batch},3\] needs .* of memory"):
        sensenet.compile(DOCUMENTS["typed"](), target, batch=batch)


@pytest.mark.parametrize("name", ["typed", "image", "detector"])
@pytest.mark.parametrize("target", FILES)
def test_batches_that_32_bits_do_not_count_are_refused(monkeypatch, name, target):
    """However much memory is allowed; no file is larger for a large batch."""
    monkeypatch.setenv("SENSENET_MEMORY_LIMIT", "1000000TiB")
    sizes = {"image_size": SIZE} if name in IMAGES else {}
    for batch in (1 << 31, 1 << 40):
        with pytest.raises(LimitError, match=rf"f32\[{batch},.* is too large: sizes are at most 2147483647"):
            sensenet.compile(DOCUMENTS[name](), target, batch=batch, **sizes)
    if name != "detector" or target != "tfjs":  # which numbers the images of a batch
        artifact = sensenet.compile(DOCUMENTS[name](), target, batch=(1 << 31) - 1, **sizes)
        assert sum(map(len, artifact.files.values())) < 50_000


def test_images_that_no_memory_holds_are_refused():
    with pytest.raises(LimitError, match=r"the input image_pixel_inputs of f32\[\?,99999,99999,3\] needs"):
        sensenet.compile(DOCUMENTS["detector"](), "tflite", image_size="99999x99999")


def test_other_targets_have_no_such_options():
    with pytest.raises(UnknownTargetError, match="the target numpy has no option 'batch'"):
        sensenet.compile(DOCUMENTS["typed"](), "numpy", batch=1)
    assert StaticShapes().image is None
    assert StaticShapes(image_size="3x5").image == ImageSize(3, 5)


def test_sizes_of_images_need_images():
    with pytest.raises(SettingsError, match="image_size is 2x3, and the model reads no images"):
        sensenet.compile(DOCUMENTS["typed"](), "onnx", image_size="2x3")
    x = apply(Input(type=f32(None, 2)), name="x")
    image = ImageInput(height=2, width=2, channels=3, rescale_type="warp")
    graph = Graph.create([x], {"y": apply(Flatten(), x.value).value}, Signature(image=image))
    with pytest.raises(SettingsError, match="image_size is 5x7, and the model reads no images"):
        fix_image_size(graph, ImageSize(5, 7))


def images_graph(size, make):
    """A graph of images of a size, without other columns."""
    pixels = apply(Input(type=f32(None, *size, 3)), name=PIXEL_INPUT)
    signature = Signature(
        columns=[ImageColumn(index=0)],
        image=ImageInput(height=2, width=2, channels=3, rescale_type="warp"),
    )
    return Graph.create([pixels], {PREDICTIONS: make(pixels.value)}, signature)


def test_sizes_of_a_graph():
    graph = images_graph((None, None), lambda x: apply(Flatten(), apply(RESCALE, x).value).value)
    made = fix_batch(fix_image_size(graph, ImageSize(5, 7)), 4)
    assert made.inputs[0].types[0] == f32(4, 5, 7, 3)
    assert made.outputs[PREDICTIONS].type == f32(4, 12)
    assert (made.signature.image.height, made.signature.image.width) == (5, 7)
    assert fix_batch(fix_image_size(graph, None), None) is graph


def test_a_size_that_the_network_does_not_take_is_refused():
    kernel = Tensor.float32(np.zeros((12, 1)))
    graph = images_graph((2, 2), lambda x: apply(Dense(kernel=kernel), apply(Flatten(), x).value).value)
    assert fix_image_size(graph, ImageSize(2, 2)).inputs[0].types == graph.inputs[0].types
    with pytest.raises(SettingsError, match="the network does not take images of 5x7: node 'dense'"):
        fix_image_size(graph, ImageSize(5, 7))


@pytest.mark.parametrize("name", IMAGES)
def test_a_file_for_one_size_is_not_compiled_for_another(name, tmp_path):
    """Where pixels are taken from, and the scale of boxes, are constants in it."""
    path = compile_static(name, "tfjs").save(tmp_path / "model")
    with pytest.raises(SettingsError, match="image_size is 40x28, and the graph is made for images of 20x14"):
        sensenet.compile(path, "onnx", image_size="40x28")
    again = sensenet.compile(path, "onnx", image_size=SIZE)
    rows = rows_of(name, BATCH)
    assert_same(create_model(again)(rows), create_model(compile_static(name, "onnx"))(rows))


@pytest.mark.parametrize("name", ["typed", "detector"])
def test_a_file_for_one_batch_is_not_compiled_for_another(name, tmp_path):
    path = compile_static(name, "tfjs").save(tmp_path / "model")
    with pytest.raises(
        SettingsError, match=r"batch is 2, and the graph is made for batches of 3: compile its"
    ):
        sensenet.compile(path, "onnx", batch=2)
    rows = rows_of(name, BATCH + 1)
    expected = create_model(compile_static(name, "onnx"))(rows)
    for options in ({}, {"batch": BATCH}):
        assert_same(create_model(sensenet.compile(path, "onnx", **options))(rows), expected)


def test_files_whose_batches_differ_are_refused(tmp_path):
    model = parse(bytes(compile_static("typed", "onnx")), "the file")
    model.graph.input[0].type.tensor_type.shape.dim[0].dim_value = 7
    path = tmp_path / "model.onnx"
    path.write_bytes(model.SerializeToString())
    with pytest.raises(ArtifactError):
        create_model(path)


@pytest.mark.slow
@pytest.mark.parametrize("target", FILES)
@pytest.mark.parametrize("case", recorded_cases("tabular", "real", "image", "detector", "extractor"))
def test_recorded_documents_answer_as_the_interpreter(case, target):
    record = case.read()
    try:
        imported = import_graph(record["model"], record.get("settings"))
    except SensenetError as error:
        pytest.skip(f"refused: {error}")
    image = imported.signature.image
    size = ImageSize(24, 31) if image else None
    options = {"image_size": str(size)} if size else {}
    artifact = sensenet.compile(imported, target, batch=5, **options)
    assert not OPEN_SIZES[target](artifact)
    executable = TARGETS[target].load(artifact)
    for check in generated_checks(fix_image_size(imported, size)):
        found = executable.run(check.inputs)
        for name, expected in check.expected.items():
            difference, excess = compare(name, found[name], expected, check.expected)
            assert excess <= 0, f"{name} differs by {difference}"
