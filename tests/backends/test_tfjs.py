"""The target tfjs: its files, and how they run: in TensorFlow.js, in the interpreter and in TensorFlow."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys

import numpy as np
import pytest
from support.documents import (
    DOCUMENTS,
    FEATURES,
    convolution,
    dense,
    detector,
    ensemble,
    image,
    legacy_network,
    network,
    tree,
    typed,
    weights,
)
from support.graph_models import damage
from support.javascript import LOCK, Node
from support.processes import start

import sensenet
from sensenet.errors import (
    ArtifactError,
    InputError,
    UnknownTargetError,
)
from sensenet.frontend import import_graph
from sensenet.ir.activation import ActivationFunction
from sensenet.ir.evaluate import evaluate
from sensenet.ir.graph import Graph, apply
from sensenet.ir.ops.core import Input
from sensenet.ir.ops.dense import Activation
from sensenet.ir.ops.rearrangement import Lookup
from sensenet.ir.ops.shape import Take
from sensenet.ir.types import f32
from sensenet.models.wrappers import create_image_feature_extractor, create_model
from sensenet.settings import ensure_settings
from sensenet.signature import Signature

BACKENDS = ("cpu", "wasm")
TOLERANCE = {"atol": 5e-6, "rtol": 5e-5}
ROWS = [[2.5, "green", 3], [None, "purple", None], [-1, "blue", 10], [0, "red", 0]]
DETECTION = {"bounding_box_threshold": 0.01, "iou_threshold": 0.3, "max_objects": 5}


def image_with(**metadata):
    document = image()
    document["image_network"]["metadata"] |= metadata
    return document


def activated(function):
    """A network of dense layers, the first of which is no kernel away from the activation's input."""
    return network([dense(FEATURES, 4, function), dense(4, 2, function), dense(2, 2, "softmax")])


def activated_image(function):
    document = image_with(loading_method="centering")
    layers = [convolution(3, 4, activation_function=function), {"type": "global_average_pool_2d"}]
    document["image_network"]["layers"] = layers
    document["layers"] = [dense(5, 2, "softmax")]
    return document


def sparse_windows(layer):
    """A convolution whose windows leave pixels out; the padding of one axis would be less than none."""
    document = image_with(input_image_shape=[9, 12, 3])
    members = {"strides": [4, 4], "padding": "same", "activation_function": "gelu"}
    document["image_network"]["layers"] = [{**layer, **members}, {"type": "global_average_pool_2d"}]
    document["layers"] = [dense(len(layer.get("bias") or [0] * 3) + 1, 2, "softmax")]
    return document


CONVOLUTIONS = {
    "convolution": convolution(3, 4),
    "depthwise": {
        "type": "depthwise_convolution_2d",
        "kernel": weights(3, 2, 3, 1),
        "depth_multiplier": 1,
        "bias": None,
    },
    "separable": {
        "type": "separable_convolution_2d",
        "depth_kernel": weights(2, 3, 3, 1),
        "point_kernel": weights(1, 1, 3, 4),
        "depth_multiplier": 1,
        "bias": weights(4),
    },
}


def forest(count, depth):
    trees = [[[0, FEATURES], [tree(depth, feature=number) for number in range(count)]]]
    return network([dense(FEATURES + 2, 2, "softmax")], trees=trees)


def categories(columns, depth, units):
    """A network on a number and columns of so many categories."""
    values = [str(number) for number in range(depth)]
    preprocess = [{"type": "categorical", "index": index + 1, "values": values} for index in range(columns)]
    layers = [dense(1 + columns * depth, units, "relu"), dense(units, 2, "softmax")]
    return network(layers, preprocess=[{"type": "numeric", "index": 0, "mean": 1, "stdev": 2}, *preprocess])


def detector_of(seed):
    document = detector()
    for number in (1, 3):
        layer = document["image_network"]["layers"][number]
        layer["kernel"] = (np.array(layer["kernel"]) * (1 + seed)).tolist()
    return document


CASES = {
    "typed": (typed, {}),
    "legacy": (legacy_network, {}),
    "ensemble": (ensemble, {}),
    "structure": (DOCUMENTS["structure"], {}),
    "small forest": (lambda: forest(2, 2), {}),
    "large forest": (lambda: forest(3, 7), {}),
    "a column of categories": (lambda: categories(1, 300, 4), {}),
    "columns looked up at once": (lambda: categories(3, 100, 4), {}),
    "columns looked up one by one": (lambda: categories(3, 100, 601), {}),
    "regression, normalized": (ensemble, {"regression_normalize": True}),
    "extractor": (image, {"extract_image_features": True}),
    **{f"sparse {name}": (lambda c=c: sparse_windows(c), {}) for name, c in CONVOLUTIONS.items()},
    "detector": (detector, DETECTION),
    "detector of many": (lambda: detector_of(3), {**DETECTION, "max_objects": 40, "iou_threshold": 0.9}),
    "detector, padded": (detector, {**DETECTION, "pad_bounding_box_output": True}),
    "detector, unfiltered": (detector, {"output_unfiltered_boxes": True}),
    **{
        f"{rescale_type}, {loading}": (
            lambda r=rescale_type, m=loading: image_with(rescale_type=r, loading_method=m),
            {"color_space": color_space},
        )
        for rescale_type, loading, color_space in (
            ("warp", "normalizing", "bgr"),
            ("crop", "centering", "rgba"),
            ("pad", "skewed_centering", "rgb"),
            ("pad", "channelwise_centering", "bgr"),
            ("warp", "channelwise_standardizing", "rgb"),
        )
    },
    **{f.value: (lambda f=f: activated(f.value), {}) for f in ActivationFunction},
    **{f"images, {f.value}": (lambda f=f: activated_image(f.value), {}) for f in ActivationFunction},
}


@pytest.fixture(scope="module")
def node():
    process = Node()
    yield process
    process.close()


def generate(graph, seed=0, rows=3):
    """Inputs of a graph: rows with known and unknown categories, images of another size than its own."""
    rng = np.random.default_rng(seed)
    inputs = {}
    for given in graph.inputs:
        shape = [rows, *given.types[0].shape[1:]]
        if len(shape) == 2:
            inputs[given.name] = rng.integers(-1, 3, shape).astype(np.float32)
        else:
            shape = [20 + 7 * axis if size is None else size for axis, size in enumerate(shape)]
            inputs[given.name] = rng.integers(0, 256, shape).astype(np.float32)
    return inputs


def assert_alike(got, want, **tolerance):
    assert set(got) == set(want)
    for name in want:
        assert got[name].shape == want[name].shape
        if want[name].dtype == np.float32:
            np.testing.assert_allclose(got[name], want[name], **(tolerance or TOLERANCE))
        else:
            np.testing.assert_array_equal(got[name], want[name])


@pytest.mark.parametrize("case", CASES)
def test_models_answer_as_the_interpreter_does(node, tmp_path, case):
    make, settings = CASES[case]
    artifact = sensenet.compile(make(), "tfjs", settings=settings)
    directory = artifact.save(tmp_path / "model")
    imported = import_graph(make(), ensure_settings(settings))
    for seed, rows in enumerate((3, 1)):
        inputs = generate(imported, seed, rows)
        want = evaluate(imported, inputs)
        for backend in BACKENDS:
            assert_alike(node.run(directory, backend, inputs), want)


def test_several_ways_to_look_categories_up_are_among_the_cases():
    lookups = {
        case: sum(isinstance(n.op, Lookup) for n in sensenet.compile(make(), "tfjs").graph.nodes)
        for case, (make, _) in CASES.items()
        if "column" in case
    }
    assert list(lookups.values()) == [1, 1, 3]


def test_both_ways_of_walking_trees_are_among_the_cases():
    walked = {
        case: any(isinstance(n.op, Take) for n in sensenet.compile(CASES[case][0](), "tfjs").graph.nodes)
        for case in ("small forest", "large forest")
    }
    assert walked == {"small forest": False, "large forest": True}


ENGINES = [None, pytest.param("tfjs", marks=pytest.mark.tensorflow)]
"""The interpreter, and TensorFlow."""


def require(engine):
    if engine == "tfjs":
        pytest.importorskip("tensorflow")


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("case", ["typed", "ensemble", "large forest", "pad, normalizing", "detector"])
def test_models_are_run_in_python_too(tmp_path, case, engine):
    require(engine)
    make, settings = CASES.get(case) or (image, {})
    artifact = sensenet.compile(make(), "tfjs", settings=settings)
    path = artifact.save(tmp_path / "model")
    rows = ROWS if case in ("typed", "ensemble", "large forest") else None
    pixels = np.random.default_rng(5).integers(0, 256, (40, 60, 3), np.uint8)
    want = create_model(make(), settings)
    for source in (artifact, path, path / "model.json"):
        model = create_model(source, engine=engine)
        assert model.engine == engine or (engine is None and model.engine in ("numpy", want.engine))
        if case == "detector":
            assert [found["box"] for found in model(pixels)] == [found["box"] for found in want(pixels)]
        else:
            given = rows or [[pixels, 2.0], [None, None]]
            np.testing.assert_allclose(model(given), want(given), **TOLERANCE)


@pytest.mark.tensorflow
def test_models_in_one_process_do_not_meet():
    """Their loops have the same names."""
    pytest.importorskip("tensorflow")
    pixels = np.random.default_rng(5).integers(0, 256, (40, 60, 3), np.uint8)
    makers = (detector, lambda: detector_of(3))
    models = [
        create_model(sensenet.compile(make(), "tfjs", settings=DETECTION), engine="tfjs") for make in makers
    ]
    for model, make in zip(models, makers, strict=True):
        want = create_model(make(), DETECTION)(pixels)
        assert [found["box"] for found in model(pixels)] == [found["box"] for found in want]


@pytest.mark.parametrize("engine", ENGINES)
def test_an_extractor_is_run_in_python_too(engine):
    require(engine)
    artifact = sensenet.compile(image(), "tfjs", settings={"extract_image_features": True})
    pixels = np.random.default_rng(5).integers(0, 256, (9, 9, 3), np.uint8)
    want = create_image_feature_extractor(image())([pixels])
    np.testing.assert_allclose(create_model(artifact, engine=engine)([pixels]), want, **TOLERANCE)


@pytest.mark.parametrize("engine", ENGINES)
def test_inputs_that_the_model_does_not_take_are_refused(engine):
    require(engine)
    model = create_model(sensenet.compile(typed(), "tfjs"), engine=engine)
    with pytest.raises(InputError, match="numeric_inputs"):
        model._executable.run({"numeric_inputs": np.zeros((1, 2), np.float32)})


def test_the_metadata_tell_what_a_caller_must_know():
    artifact = sensenet.compile(ensemble(), "tfjs")
    model = json.loads(artifact.files["model.json"])
    metadata = model["userDefinedMetadata"]
    assert set(metadata.pop("sensenetGraph")) == {"text", "topology"}
    assert metadata == {
        "structuredOutputKeys": ["predictions"],
        "sensenet": json.loads(json.dumps(artifact.graph.signature.to_json())),
    }
    assert set(model["signature"]["inputs"]) == {"numeric_inputs"}
    assert set(model["signature"]["outputs"]) == {"predictions"}


def big_network():
    """Most of its weights are kernels."""
    return network([dense(FEATURES, 64), dense(64, 64), dense(64, 2, "softmax")])


@pytest.mark.parametrize(
    ("quantize", "ratio", "error"), [("float16", 0.55, 2e-3), ("uint16", 0.55, 2e-3), ("uint8", 0.3, 0.3)]
)
def test_quantized_weights_are_smaller_and_a_little_wrong(node, tmp_path, quantize, ratio, error):
    def weight_bytes(artifact):
        return sum(len(content) for name, content in artifact.files.items() if name != "model.json")

    plain = sensenet.compile(big_network(), "tfjs")
    artifact = sensenet.compile(big_network(), "tfjs", quantize=quantize)
    assert weight_bytes(artifact) < ratio * weight_bytes(plain)
    directory = artifact.save(tmp_path / "model")
    inputs = generate(plain.graph, rows=20)
    want = evaluate(plain.graph, inputs)["predictions"]
    for backend in BACKENDS:
        got = node.run(directory, backend, inputs)["predictions"]
        assert 0 < np.abs(got - want).max() < error
    for source in (directory, artifact):
        opened = create_model(source)._executable.run(inputs)["predictions"]
        np.testing.assert_allclose(opened, got, **TOLERANCE)


@pytest.mark.parametrize("quantize", ["float16", "uint8", "uint16"])
def test_quantization_leaves_trees_as_they_are(quantize):
    def only_trees():
        document = forest(3, 3)
        document["layers"] = [
            {**dense(FEATURES + 2, 2, "linear"), "weights": [[1, 0], [0, 1]] + [[0, 0]] * 5}
        ]
        return document

    plain = sensenet.compile(only_trees(), "tfjs")
    artifact = sensenet.compile(only_trees(), "tfjs", quantize=quantize)
    assert artifact.files != plain.files
    want = create_model(plain)(ROWS)
    np.testing.assert_allclose(create_model(artifact)(ROWS), want, atol=5e-3)


def test_kernels_too_large_for_float16_stay_float32():
    document = network([dense(FEATURES, 2, "linear")])
    document["layers"][0]["weights"][0][0] = 1e6
    model = create_model(sensenet.compile(document, "tfjs", quantize="float16"))
    np.testing.assert_allclose(model(ROWS), create_model(document)(ROWS), rtol=1e-5)


def test_weight_files_hold_no_more_than_the_shard_size(node, tmp_path):
    artifact = sensenet.compile(big_network(), "tfjs", shard_size=5000)
    sizes = {name: len(content) for name, content in artifact.files.items() if name != "model.json"}
    assert len(sizes) > 3
    assert max(sizes.values()) == 5000
    inputs = generate(artifact.graph)
    want = evaluate(artifact.graph, inputs)
    assert_alike(node.run(artifact.save(tmp_path / "model"), "cpu", inputs), want)


@pytest.mark.parametrize(
    "options",
    [{"quantize": "int4"}, {"quantize": None}, {"shard_size": 0}, {"shard_size": True}, {"shards": 1}],
)
def test_unknown_options_are_refused(options):
    with pytest.raises(UnknownTargetError, match=next(iter(options))):
        sensenet.compile(typed(), "tfjs", **options)


def test_the_same_graph_gives_the_same_files():
    """In a fresh process, and in this one, which has converted others before. It also prints nothing."""
    makers = (image, detector, ensemble)
    code = f"""if True:
        import hashlib, sys
        sys.path.insert(0, {str(LOCK.parents[1])!r})
        import sensenet
        from support import documents
        for name in {[make.__name__ for make in makers]}:
            files = sensenet.compile(getattr(documents, name)(), "tfjs").files
            print(hashlib.sha256(b"".join(files[name] for name in sorted(files))).hexdigest())
    """
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    here = [dict(sensenet.compile(make(), "tfjs").files) for make in makers]
    digests = [hashlib.sha256(b"".join(files[name] for name in sorted(files))).hexdigest() for files in here]
    assert result.stdout.split() == digests
    assert result.stderr == ""


BLOCKED = ("tensorflow", "tensorflowjs", "keras", "tf_keras", "google.protobuf", "flatbuffers")


def test_files_are_written_and_run_without_tensorflow(tmp_path):
    """In a process that cannot import it, for every kind of model."""
    code = f"""if True:
        import sys
        for name in {BLOCKED}:
            sys.modules[name] = None
        import sensenet
        from sensenet.errors import MissingPackageError
        from support import documents
        for name in ("typed", "ensemble", "image", "detector"):
            path = sensenet.compile(getattr(documents, name)(), "tfjs").save({str(tmp_path)!r} + "/" + name)
            assert sensenet.create_model(path).engine in ("numpy", "native")
            print(name)
        try:
            sensenet.create_model(path, engine="tfjs")
        except MissingPackageError as error:
            print(error)
    """
    process = start(code)
    output, errors = process.communicate(timeout=120)
    assert process.returncode == 0, errors
    *names, error = output.splitlines()
    assert names == ["typed", "ensemble", "image", "detector"]
    assert "pip install 'sensenet-compiler[tensorflow]'" in error


CHANGES = {
    "another op": lambda m: m["modelTopology"]["node"][-1].update(op="Relu"),
    "another input": lambda m: m["signature"]["inputs"].update(more={}),
    "another text": lambda m: m["userDefinedMetadata"]["sensenetGraph"].update(topology="0" * 32),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_a_graph_that_is_not_the_topologys_is_not_run(tmp_path, change):
    directory = sensenet.compile(typed(), "tfjs").save(tmp_path / "model")
    files = damage({"model.json": (directory / "model.json").read_bytes()}, change)
    (directory / "model.json").write_bytes(files["model.json"])
    with pytest.raises(ArtifactError, match=r'the topology has changed .* engine="tfjs"'):
        create_model(directory)


def test_a_graph_whose_weights_are_others_is_not_run(tmp_path):
    directory = sensenet.compile(big_network(), "tfjs").save(tmp_path / "model")
    shard = directory / "group1-shard1of1.bin"
    content = bytearray(shard.read_bytes())
    content[len(content) // 2] ^= 1
    shard.write_bytes(content)
    with pytest.raises(ArtifactError, match=r"model\.json is not a graph of sensenet"):
        create_model(directory)


def test_files_are_run_however_their_json_is_written(tmp_path):
    directory = sensenet.compile(ensemble(), "tfjs").save(tmp_path / "model")
    model = json.loads((directory / "model.json").read_bytes())
    head = {"format": model.pop("format")}
    (directory / "model.json").write_text(json.dumps({**head, **dict(reversed(model.items()))}, indent=1))
    np.testing.assert_allclose(create_model(directory)(ROWS), create_model(ensemble())(ROWS), **TOLERANCE)


@pytest.mark.parametrize("target", ["numpy", "tfjs"])
def test_a_saved_model_can_be_compiled_again(tmp_path, target):
    artifact = sensenet.compile(ensemble(), "tfjs")
    again = sensenet.compile(artifact.save(tmp_path / "model"), target, optimize=0)
    np.testing.assert_allclose(create_model(again)(ROWS), create_model(ensemble())(ROWS), **TOLERANCE)
    if target == "tfjs":
        assert again.files == artifact.files


def test_a_model_without_weights_is_a_directory_too(node, tmp_path):
    given = apply(Input(type=f32(None, 3)), name="x")
    y = apply(Activation(function=ActivationFunction.RELU), given.value).value
    graph = Graph.create([given], {"y": y}, Signature())
    directory = sensenet.compile(graph, "tfjs").save(tmp_path / "model")
    inputs = {"x": np.float32([[1, -2, 3]])}
    assert_alike(node.run(directory, "cpu", inputs), evaluate(graph, inputs))


def test_the_lock_file_names_no_host():
    assert '"resolved"' not in LOCK.read_text("utf-8")
