"""The target keras: real layers, training, saving; under Keras 3, and the same again under Keras 2."""

from __future__ import annotations

import json
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest
from support.keras_2 import IS_LEGACY, only_under_keras_3, run_under_keras_2
from support.lowered import (
    ABSOLUTE,
    CONVOLUTION,
    DENSE,
    RELATIVE,
    activations_in_context,
    assert_agrees,
    build,
    every_activation,
    graph_of,
    graph_of_op,
    has_inputs,
    run,
)
from support.op_cases import ALL_CASES, CASES, IMAGES, case_name, floats, weights

from sensenet.artifact import Report
from sensenet.backends import get_target
from sensenet.backends.keras import TARGET
from sensenet.backends.keras.layers import signature_layer
from sensenet.backends.keras.model import BuildOptions, build_model
from sensenet.backends.keras.reading import read_weights
from sensenet.backends.tensorflow import LEGAL, Variables, make_function
from sensenet.errors import ArtifactError, InputError, MissingPackageError, UnknownTargetError
from sensenet.ir.activation import ActivationFunction
from sensenet.ir.evaluate import evaluate
from sensenet.ir.graph import Graph, apply, constant
from sensenet.ir.ops import arithmetic, convolution, core, dense, image, pooling, rearrangement, tabular
from sensenet.ir.types import Tensor, f32
from sensenet.passes.lowering.legalize import legalize
from sensenet.signature import Signature

tf = pytest.importorskip("tensorflow")
pytestmark = pytest.mark.tensorflow


TARGETS = np.eye(3, dtype=np.float32)[np.arange(32) % 3]
FEED = {"numeric_inputs": floats(32, 4)}


def network() -> Graph:
    """A small classifier as it is imported: nothing folded, dropout in place, a forest beside the columns."""
    node = apply(core.Input(type=f32(None, 4)), name="numeric_inputs")
    (case, _) = CASES[tabular.Forest]
    columns = apply(
        tabular.Standardize(mean=weights(4), stdev=Tensor.float32([1, 2, 3, 4])), node.value, name="features"
    )
    forest = apply(case.op, columns.value, name="forest")
    x = apply(rearrangement.Concatenate(), forest.value, columns.value, name="tree_inputs").value
    layers = [
        dense.Dense(kernel=weights(8, 6), bias=weights(6), activation=ActivationFunction.LEAKY_RELU),
        dense.BatchNormalization(
            gamma=weights(6), beta=weights(6), mean=weights(6), variance=Tensor.float32(range(1, 7))
        ),
        dense.Activation(function=ActivationFunction.RELU),
        dense.Dropout(kind=dense.DropoutKind.ZERO, rate=0.2),
        dense.Dropout(kind=dense.DropoutKind.ALPHA, rate=0.1),
        dense.Dense(kernel=weights(6, 3), activation=ActivationFunction.SOFTMAX),
    ]
    for number, op in enumerate(layers):
        x = apply(op, x, name=f"layer_{number}").value
    return Graph.create([node], {"predictions": x}, Signature(classes=("a", "b", "ç"), name="Test"))


@pytest.fixture
def artifact():
    return build(network(), "keras")


def layer_types(model) -> dict[str, str]:
    return {layer.name: type(layer).__name__ for layer in model.layers}


def test_the_flavor_is_the_one_asked_for():
    module = tf.keras.Model.__module__
    assert module.startswith("tf_keras" if IS_LEGACY else "keras."), module


@pytest.mark.parametrize("case", [*filter(has_inputs, ALL_CASES)], ids=case_name)
def test_every_op_agrees_with_the_interpreter(case, tmp_path):
    artifact = build(case.graph(), "keras")
    assert_agrees(TARGET.load(artifact), case.graph(), case.feed)
    assert_agrees(TARGET.open(artifact.save(tmp_path / "model.keras")), case.graph(), case.feed)


@pytest.mark.parametrize(("layer", "shape"), [(CONVOLUTION, (6, 7, 3)), (DENSE, (3,))])
def test_activations_agree_wherever_they_stand(layer, shape):
    """TensorFlow's graph optimizer fuses some of these into ops that are wrong or absent."""
    graph, feed = activations_in_context(layer, shape)
    assert_agrees(run(graph, "keras"), graph, feed)


@pytest.mark.parametrize(("layer", "shape"), [(CONVOLUTION, (6, 7, 3)), (DENSE, (3,))])
def test_activations_agree_in_a_function_of_the_lowering(layer, shape):
    graph, feed = activations_in_context(layer, shape)
    got = make_function(tf, legalize(LEGAL).run(graph))(tf.constant(feed["x"]))
    for name, want in evaluate(graph, feed).items():
        np.testing.assert_allclose(got[name], want, rtol=RELATIVE, atol=ABSOLUTE, err_msg=name)


def test_large_weights_are_variables_that_ops_share():
    kernel = weights(200, 200, scale=0.1)
    graph = graph_of(
        {"x": f32(None, 200)},
        lambda x: {"y": apply(dense.Dense(kernel=kernel), apply(dense.Dense(kernel=kernel), x).value).value},
    )
    variables = Variables.of(tf, graph)
    assert len(variables.by_digest) == 1
    got = make_function(tf, graph, variables)(tf.constant(floats(3, 200)))
    want = evaluate(graph, {"x": floats(3, 200)})["y"]
    np.testing.assert_allclose(got["y"], want, rtol=RELATIVE, atol=1e-5)


@pytest.mark.parametrize("function", ["function", "keras"])
def test_standardizing_divides_exactly(function):
    generator = np.random.default_rng(0)
    mean, stdev = (Tensor.float32(generator.normal(size=8)) for _ in range(2))
    graph = graph_of_op(tabular.Standardize(mean=mean, stdev=stdev), f32(None, 8))
    x = generator.normal(size=(500, 8)).astype(np.float32)
    assert np.any(x / stdev.array != x * (1 / stdev.array))
    if function == "keras":
        assert_agrees(run(graph, "keras"), graph, {"x0": x}, exactly=True)
    else:
        got = make_function(tf, legalize(LEGAL).run(graph))(tf.constant(x))["y0"]
        np.testing.assert_array_equal(got, evaluate(graph, {"x0": x})["y0"])


@pytest.mark.parametrize("method", image.RescaleType)
def test_images_of_any_size_are_rescaled_exactly(method):
    graph = graph_of_op(image.Rescale(height=64, width=41, method=method), f32(None, None, None, 3))
    executable = run(graph, "keras")
    generator = np.random.default_rng(0)
    for rows, columns in [(112, 112), (64, 64), (30, 90), *generator.integers(12, 130, (10, 2))]:
        x = generator.integers(0, 256, (2, rows, columns, 3)).astype(np.float32)
        assert_agrees(executable, graph, {"x0": x}, exactly=method is not image.RescaleType.PAD)


def test_activations_agree_on_special_numbers():
    """Softmax aside: TensorFlow's gives 0 beside a NaN."""
    graph = every_activation((1,))
    numbers = [np.nan, np.inf, -np.inf, 0.0, 88.0, -104.0, 1e30, -1e30]
    assert_agrees(run(graph, "keras"), graph, {"x": np.asarray(numbers, np.float32)[:, None]})


def test_missing_features_go_right_in_trees():
    (case, _) = CASES[tabular.Forest]
    x = np.asarray([[np.nan, 0, 0], [0, np.nan, 0], [np.nan] * 3, [0.5, 0, -0.25]], np.float32)
    assert_agrees(run(case.graph(), "keras"), case.graph(), {"x0": x})


def test_layers_have_the_names_of_nodes(artifact):
    kinds = layer_types(artifact.model)
    normalization = "UnfusedBatchNormalization" if IS_LEGACY else "BatchNormalization"
    expected = {
        "numeric_inputs": "InputLayer",
        "features": "OpLayer" if IS_LEGACY else "Functional",
        "tree_inputs": "Concatenate",
        "layer_0": "Dense",
        "layer_1": normalization,
        "layer_2": "Activation",
        "layer_3": "Dropout",
        "layer_4": "AlphaDropout",
        "layer_5": "Dense",
        "predictions": "SignatureLayer",
    }
    assert {name: kinds.get(name) for name in expected} == expected
    assert isinstance(artifact.model.get_layer("layer_1"), tf.keras.layers.BatchNormalization)
    assert artifact.model.get_layer("layer_0").activation.__name__ == "sensenet_leaky_relu"


@pytest.mark.parametrize(
    ("op", "layer"),
    [
        (CONVOLUTION, "Conv2D"),
        (convolution.DepthwiseConvolution2D(kernel=weights(2, 2, 3, 2)), "DepthwiseConv2D"),
        (
            convolution.SeparableConvolution2D(
                depth_kernel=weights(2, 2, 3, 2), point_kernel=weights(1, 1, 6, 4)
            ),
            "SeparableConv2D",
        ),
        (pooling.MaxPool2D(pool_size=(2, 2), strides=(2, 2)), "MaxPooling2D"),
        (pooling.AveragePool2D(pool_size=(2, 2), strides=(2, 2)), "AveragePooling2D"),
        (pooling.GlobalAveragePool2D(), "GlobalAveragePooling2D"),
        (pooling.GlobalMaxPool2D(), "GlobalMaxPooling2D"),
        (convolution.Pad2D(padding=((1, 1), (0, 2))), "ZeroPadding2D"),
        (convolution.Upsample2D(size=(2, 2)), "UpSampling2D"),
        (rearrangement.Flatten(), "Flatten"),
        (dense.Dropout(kind=dense.DropoutKind.BLOCK, rate=0.3, block_size=2), "BlockDropout"),
        (dense.Dropout(kind=dense.DropoutKind.ALPHA, rate=1.5), "OpLayer"),
        (image.Rescale(height=2, width=2, method=image.RescaleType.CROP), "OpLayer"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_an_op_of_images_is_the_layer_of_keras(op, layer):
    model = build(graph_of_op(op, f32(None, *IMAGES.shape[1:])), "keras").model
    assert layer_types(model)["node"] == layer


def test_any_batch_size(artifact):
    executable = TARGET.load(artifact)
    for rows in (1, 0, 40):
        assert_agrees(executable, network(), {"numeric_inputs": floats(rows, 4)})
    executable = run(graph_of_op(CONVOLUTION, f32(None, 5, 6, 3)), "keras")
    assert executable.run({"x0": floats(0, 5, 6, 3)})["y0"].shape == (0, 5, 6, 3)


def test_names_that_keras_cannot_take_are_changed():
    graph = graph_of({"x": f32(None, 3)}, lambda x: {"_y": apply(DENSE, x, name="_hidden.1").value})
    executable = run(graph, "keras")
    assert_agrees(executable, graph, {"x": floats(2, 3)})
    assert "node_hidden.1" in layer_types(executable.model)


def test_nodes_that_hold_the_same_op_share_a_layer():
    graph = graph_of(
        {"a": f32(None, 3), "b": f32(None, 3)},
        lambda a, b: {"sum": apply(arithmetic.Add(), apply(DENSE, a).value, apply(DENSE, b).value).value},
    )
    executable = run(graph, "keras")
    assert_agrees(executable, graph, {"a": floats(2, 3), "b": -floats(2, 3)})
    assert list(layer_types(executable.model).values()).count("Dense") == 1


def test_constants_are_operands_of_layers():
    graph = graph_of(
        {"x": f32(None, 3), "unused": f32(None, 1)},
        lambda x, _: {
            "shifted": apply(arithmetic.Subtract(), constant(weights(3)), x).value,
            "constant": apply(arithmetic.Add(), constant(weights(2, 2)), constant(weights(2, 2))).value,
            "same": x,
        },
    )
    assert_agrees(run(graph, "keras"), graph, {"x": floats(2, 3), "unused": floats(2, 1)})


def test_a_model_is_called_with_a_tensor_or_a_dict(artifact):
    want = evaluate(network(), FEED)["predictions"]
    np.testing.assert_allclose(artifact.model(FEED["numeric_inputs"]), want, rtol=RELATIVE, atol=ABSOLUTE)
    graph = graph_of(
        {"a": f32(None, 3), "b": f32(None, 3)},
        lambda a, b: {"sum": apply(arithmetic.Add(), a, b).value, "a_too": a},
    )
    a, b = floats(2, 3), floats(2, 3, scale=7.0)
    answer = build(graph, "keras").model({"a": a, "b": b})
    np.testing.assert_array_equal(answer["sum"], a + b)
    np.testing.assert_array_equal(answer["a_too"], a)


def test_training_changes_every_weight_and_is_saved(artifact, tmp_path):
    model = artifact.model
    before = [array.copy() for array in model.get_weights()]
    model.compile(optimizer="sgd", loss="categorical_crossentropy")
    model.fit(FEED["numeric_inputs"], TARGETS, epochs=2, batch_size=8, verbose=0)
    assert all(np.any(old != new) for old, new in zip(before, model.get_weights(), strict=True))
    assert len(before) == 2 + 4 + 2
    trained = TARGET.load(artifact).run(FEED)["predictions"]
    assert np.abs(trained - evaluate(network(), FEED)["predictions"]).max() > 1e-3
    by_us, by_keras = artifact.save(tmp_path / "ours.keras"), tmp_path / "theirs.keras"
    model.save(by_keras)
    for path in (by_us, by_keras):
        opened = TARGET.open(path)
        assert opened.signature == network().signature
        np.testing.assert_allclose(opened.run(FEED)["predictions"], trained, rtol=RELATIVE, atol=ABSOLUTE)


def test_dropouts_drop_in_training_only():
    x = np.ones((4, 12, 12, 3), np.float32)
    for kind in dense.DropoutKind:
        op = dense.Dropout(kind=kind, rate=0.3, block_size=3)
        model = build(graph_of_op(op, f32(None, None, None, 3)), "keras").model
        np.testing.assert_array_equal(model(x, training=False), x)
        assert np.any(np.asarray(model(x, training=True)) != x), kind


def test_block_dropout_drops_squares_and_keeps_the_mean():
    op = dense.Dropout(kind=dense.DropoutKind.BLOCK, rate=0.2, block_size=4)
    model = build(graph_of_op(op, f32(None, None, None, 1)), "keras").model
    y = np.asarray(model(np.ones((200, 20, 24, 1), np.float32), training=True))
    dropped = y == 0
    assert 0.1 < dropped.mean() < 0.25  # patches overlap, so it is less than the rate
    assert y.mean() == pytest.approx(1, abs=1e-3)
    windows = np.lib.stride_tricks.sliding_window_view(dropped[..., 0], (4, 4), axis=(1, 2)).all(axis=(3, 4))
    covered = np.zeros(dropped.shape[:3], bool)
    for i in range(4):
        for j in range(4):
            covered[:, i : i + windows.shape[1], j : j + windows.shape[2]] |= windows
    np.testing.assert_array_equal(covered, dropped[..., 0])


@pytest.mark.parametrize("declared", [f32(None, 5, 4, 1), f32(None, None, None, 1)], ids=str)
def test_block_dropout_takes_blocks_larger_than_the_image(declared):
    op = dense.Dropout(kind=dense.DropoutKind.BLOCK, rate=0.5, block_size=50)
    model = build(graph_of_op(op, declared), "keras").model
    assert np.isfinite(np.asarray(model(np.ones((8, 5, 4, 1), np.float32), training=True))).all()


def test_a_fresh_process_opens_a_saved_model(artifact, tmp_path):
    path = artifact.save(tmp_path / "model.keras")
    code = (
        "import sys, pathlib, numpy, json; from sensenet.backends import get_target; "
        "executable = get_target('keras').open(pathlib.Path(sys.argv[1])); "
        "x = numpy.asarray(json.loads(sys.argv[2]), numpy.float32); "
        "print(json.dumps(executable.run({'numeric_inputs': x})['predictions'].tolist()))"
    )
    rows = json.dumps(FEED["numeric_inputs"].tolist())
    result = subprocess.run(
        [sys.executable, "-c", code, str(path), rows], capture_output=True, text=True, check=True
    )
    want = evaluate(network(), FEED)["predictions"]
    np.testing.assert_allclose(json.loads(result.stdout), want, rtol=RELATIVE, atol=ABSOLUTE)
    assert result.stderr == ""


@pytest.mark.parametrize(
    "feed",
    [{}, {"numeric_inputs": np.zeros((1, 4))}, {"numeric_inputs": floats(1, 5)}],
    ids=["absent", "float64", "too wide"],
)
def test_ill_typed_inputs_are_refused(artifact, feed):
    with pytest.raises(InputError, match="numeric_inputs"):
        TARGET.load(artifact).run(feed)


def refuse(path: Path, message: str) -> None:
    with pytest.raises(ArtifactError, match=message) as raised:
        get_target("keras").open(path)
    assert str(path) in str(raised.value)


def test_truncated_and_damaged_files_are_refused(artifact, tmp_path):
    path = artifact.save(tmp_path / "model.keras")
    content = path.read_bytes()
    for length in (0, 10, len(content) // 2, len(content) - 1):
        path.write_bytes(content[:length])
        refuse(path, "truncated, damaged")
    with zipfile.ZipFile(tmp_path / "other.keras", "w") as archive:
        archive.writestr("readme.txt", "nothing")
    refuse(tmp_path / "other.keras", "is not a model saved by Keras")
    refuse(tmp_path / "absent.keras", "cannot be read")
    refuse(tmp_path / "model.h5", "names end in .keras")


def rewrite(path: Path, member: str, change) -> None:
    """Change a member of an archive."""
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    members[member] = change(members[member])
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)


def with_signature(content: bytes, value) -> bytes:
    return json.dumps({**json.loads(content), "sensenet": value}).encode()


@pytest.mark.parametrize(
    ("member", "change", "message"),
    [
        ("config.json", lambda content: content[:-9], "is not a model saved by Keras"),
        ("config.json", lambda _: b"[1]", "is not a model saved by Keras"),
        ("config.json", lambda _: b"[" * 100_000, "is not a model saved by Keras"),
        ("config.json", lambda c: c.replace(b'"axis": -1', b'"axis": 7'), "cannot be loaded by Keras"),
        ("metadata.json", lambda _: b"{}", "is not a model saved by Keras"),
        ("metadata.json", lambda _: b"[{}]", "is not a model saved by Keras"),
        ("metadata.json", lambda _: b"[" * 100_000, "is not a model saved by Keras"),
        ("metadata.json", lambda c: with_signature(c, {}), "'sensenet' in metadata.json is not a signature"),
        ("metadata.json", lambda c: with_signature(c, [1]), "'sensenet' in metadata.json is not a signature"),
        ("metadata.json", lambda c: with_signature(c, None), "not one made by sensenet: it has no signature"),
        ("metadata.json", lambda c: c.replace(b'"layer": "p', b'"layer": "q'), "'qredictions', which the"),
        ("metadata.json", lambda c: c.replace(b'"outputs": [', b'"outputs": [1, '), "has no signature of"),
        ("metadata.json", lambda c: c.replace(b'"level": 0', b'"level": "0"'), "has no signature of"),
        ("metadata.json", lambda c: c.replace(b'"making": {', b'"making": {"x": 1, '), "has no signature of"),
        ("metadata.json", lambda c: c.replace(b"format_version", b"version"), "has no signature of sensenet"),
        ("model.weights.h5", lambda content: content[: len(content) // 2], "truncated, damaged"),
        (
            "metadata.json",
            lambda c: c.replace(b'"keras_version": "', b'"keras_version": "1'),
            "was saved by Keras 1",
        ),
    ],
)
def test_rewritten_files_are_refused(artifact, tmp_path, member, change, message):
    path = artifact.save(tmp_path / "model.keras")
    rewrite(path, member, change)
    refuse(path, message)


def test_a_file_has_the_members_of_keras_and_no_other(artifact, tmp_path):
    """With a fourth, Keras unpacks the file while it reads weights, which Python 3.12.1 does not survive."""
    with zipfile.ZipFile(artifact.save(tmp_path / "model.keras")) as archive:
        assert sorted(archive.namelist()) == ["config.json", "metadata.json", "model.weights.h5"]
        assert json.loads(archive.read("metadata.json")).keys() >= {"keras_version", "sensenet"}


def test_files_with_the_signature_in_a_member_of_its_own_are_opened(artifact, tmp_path):
    """As they were written before."""
    path = artifact.save(tmp_path / "model.keras")
    with zipfile.ZipFile(path) as archive:
        metadata = json.loads(archive.read("metadata.json"))
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("sensenet.json", json.dumps(metadata.pop("sensenet")))
    rewrite(path, "metadata.json", lambda _: json.dumps(metadata).encode())
    assert_agrees(TARGET.open(path), network(), FEED)
    rewrite(path, "sensenet.json", lambda _: b"{")
    refuse(path, "is not a model saved by Keras")


@only_under_keras_3
def test_files_of_earlier_releases_are_opened(tmp_path):
    """Their ops are layers of ours, and a layer carries the signature; they don't say how ops were made."""
    graph = legalize(TARGET.legal(), TARGET.rows).run(network())
    built = build_model(graph, BuildOptions(level=0, share_weights=False)).model
    assert layer_types(built)["features"] == "OpLayer"
    signature_layer(built).making.pop("stock")
    built.save(tmp_path / "model.keras")
    opened = TARGET.open(tmp_path / "model.keras")
    assert_agrees(opened, network(), FEED)
    read_weights(network(), graph, opened.model)


def test_models_of_others_are_refused(tmp_path):
    model = tf.keras.Sequential([tf.keras.layers.Input((3,)), tf.keras.layers.Dense(2)])
    model.save(tmp_path / "foreign.keras")
    refuse(tmp_path / "foreign.keras", "not a model saved by sensenet.*Sequential")


def test_code_in_a_file_is_not_run(tmp_path):
    """A lambda layer among our own is refused before Keras sees it."""
    inputs = tf.keras.Input((4,), name="numeric_inputs")
    ours = build(network(), "keras").model
    outputs = tf.keras.layers.Lambda(lambda x: x + 1, output_shape=(4,))(inputs)
    for layer in ours.layers[-1:]:
        outputs = layer(outputs)
    tf.keras.Model(inputs, outputs).save(tmp_path / "code.keras")
    refuse(tmp_path / "code.keras", "'lambda' is an object of keras.layers.Lambda, which sensenet does not")


def test_unknown_options_are_refused():
    with pytest.raises(
        UnknownTargetError, match="keras has no option 'quantize'; expected one of: share_weights"
    ):
        TARGET.read_options({"quantize": "float16"})


def test_without_tensorflow_the_error_names_the_package(monkeypatch):
    graph = legalize(LEGAL).run(network())
    monkeypatch.setitem(sys.modules, "tensorflow", None)
    with pytest.raises(MissingPackageError, match=r"sensenet-compiler\[tensorflow\]"):
        TARGET.build(graph, Report(target="keras", level=0), TARGET.options())


@only_under_keras_3
def test_all_of_this_under_keras_2():
    run_under_keras_2(__file__)


def test_a_chain_of_more_layers_than_python_lets_functions_call_each_other(tmp_path):
    x = apply(core.Input(type=f32(None, 3)), name="x")
    value = x.value
    for number in range(1100):
        value = apply(
            arithmetic.Maximum(), value, constant(Tensor.float32([number / 1e4]), f"limit_{number}")
        ).value
    chain = Graph.create([x], {"y": value}, Signature())
    limit = sys.getrecursionlimit()
    artifact = TARGET.build(chain, Report(target="keras", level=2), TARGET.options())
    rows = np.float32([[-1, 0, 1]])
    artifact.save(tmp_path / "chain.keras")
    for executable in (TARGET.load(artifact), TARGET.open(tmp_path / "chain.keras")):
        answer = executable.run({"x": rows})["y"]
        np.testing.assert_array_equal(answer, evaluate(chain, {"x": rows})["y"])
    assert sys.getrecursionlimit() == limit
