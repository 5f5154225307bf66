"""JSON → Keras → JSON: what comes back, from models and files, and which models are refused."""

from __future__ import annotations

import copy
import gzip
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given
from support.conformance import recorded_cases
from support.document_strategies import documents, image_documents
from support.documents import DOCUMENTS, FEATURES, dense, image, legacy_network, network, typed
from support.keras_2 import only_under_keras_3, run_under_keras_2
from support.profiles import examples

import sensenet
from sensenet.backends.keras.executable import make_executable
from sensenet.cli.decompile import main
from sensenet.compiler.verify.inputs import generated_inputs
from sensenet.errors import ArtifactError, DocumentError
from sensenet.frontend import import_graph
from sensenet.frontend.strip import strip_weights
from sensenet.ir.evaluate import evaluate
from sensenet.ir.graph import same_graph

tf = pytest.importorskip("tensorflow")
pytestmark = pytest.mark.tensorflow


layers = tf.keras.layers


def compile_keras(source, **options):
    return sensenet.compile(source, "keras", optimize=0, **options).model


def randomize(model):
    """Give a model other weights, variances among them, and nothing large."""
    random = np.random.default_rng(0)
    model.set_weights([random.uniform(0.1, 0.5, w.shape).astype("f4") for w in model.get_weights()])
    return model


def assert_predicts_as(model, document):
    graph = import_graph(document)
    for feed in generated_inputs(graph):
        got, want = evaluate(graph, feed), make_executable(model).run(feed)
        for name, expected in want.items():
            scale = np.abs(expected).max(initial=1)
            np.testing.assert_allclose(got[name] / scale, expected / scale, atol=1e-5, err_msg=name)


@pytest.mark.parametrize("make", DOCUMENTS.values(), ids=DOCUMENTS)
def test_documents_of_every_kind(make):
    source = make()
    model = compile_keras(source)
    document = sensenet.decompile(model, like=source)
    assert same_graph(import_graph(document), import_graph(make()))
    if strip_weights(source) != source:
        assert document == source
    document = sensenet.decompile(randomize(model), like=source)
    assert source == make()
    assert_predicts_as(model, document)


@examples(12, suppress_health_check=list(HealthCheck))
@given(documents() | image_documents())
def test_any_document(document):
    before = copy.deepcopy(document)
    model = compile_keras(document, share_weights=True)
    assert sensenet.decompile(model, like=document) == document
    written = sensenet.decompile(randomize(model), like=document)
    assert document == before
    assert_predicts_as(model, written)


@pytest.mark.slow
@pytest.mark.parametrize("case", recorded_cases("tabular"))
def test_recorded_documents(case):
    record = case.read()
    try:
        model = compile_keras(record["model"], settings=record["settings"])
    except DocumentError as error:
        pytest.skip(f"compile refuses it: {error}")
    assert sensenet.decompile(model, like=record["model"]) == record["model"]


def test_models_artifacts_and_files(tmp_path):
    artifact = sensenet.compile(typed(), "keras", optimize=0)
    expected = sensenet.decompile(randomize(artifact.model), like=typed())
    ours, theirs = artifact.save(tmp_path / "ours.keras"), tmp_path / "theirs.keras"
    artifact.model.save(theirs)
    path = tmp_path / "deepnet.json.gz"
    path.write_bytes(gzip.compress(json.dumps(typed()).encode()))
    for trained, like in [(artifact, typed()), (ours, str(path)), (str(theirs), path)]:
        assert sensenet.decompile(trained, like=like) == expected
    assert sensenet.decompile(artifact, like=json.dumps(typed())) == expected
    assert sensenet.decompile(sensenet.create_model(ours)._model, like=typed()) == expected


@pytest.mark.parametrize("make", [typed, legacy_network, image])
def test_h5_files_of_weights(make, tmp_path):
    path = sensenet.compile(make(), "h5").save(tmp_path / "weights.h5")
    document = sensenet.decompile(path, like=strip_weights(make()))
    assert same_graph(import_graph(document), import_graph(make()))
    trained = randomize(compile_keras(make()))
    trained.save(tmp_path / "model.h5")
    assert sensenet.decompile(tmp_path / "model.h5", like=make()) == sensenet.decompile(trained, like=make())


def test_settings_are_those_of_the_model():
    model = compile_keras(image(), settings={"extract_image_features": True, "color_space": "BGR"})
    document = sensenet.decompile(randomize(model), like=image())
    assert document["layers"] == image()["layers"]
    assert document["image_network"]["layers"][1] != image()["image_network"]["layers"][1]


# What training may change


def test_what_only_training_depends_on_may_change(tmp_path):
    model = compile_keras(typed())
    model.get_layer("layer_0").trainable = False
    model.get_layer("layer_0").kernel_regularizer = tf.keras.regularizers.L2(0.1)
    model.get_layer("layer_1").momentum = 0.5
    model.get_layer("layer_2_dense_path_2").rate = 0.1
    model.compile("adam", lambda wanted, found: tf.reduce_mean((wanted - found) ** 2))
    assert sensenet.decompile(model, like=typed()) == typed()


def images():
    """A row of two images."""
    document = image()
    document["preprocess"] = [{"type": "image", "index": 0}, {"type": "image", "index": 1}]
    document["layers"] = [dense(6, 2, "softmax")]
    return document


def test_images_of_a_row_may_share_their_layers(tmp_path):
    apart, shared = compile_keras(images()), compile_keras(images(), share_weights=True)
    assert len(apart.get_weights()) == 2 * len(shared.get_weights()) - 2
    assert sensenet.decompile(apart, like=images()) == images()
    assert_predicts_as(shared, sensenet.decompile(randomize(shared), like=images()))
    shared.save(tmp_path / "m.keras")
    assert_predicts_as(shared, sensenet.decompile(tmp_path / "m.keras", like=images()))
    path = r"image_network.layers\[1\].kernel: .*trained to different numbers.*share_weights=True"
    with pytest.raises(DocumentError, match=path):
        sensenet.decompile(randomize(apart), like=images())


# What is refused


def refuse(trained, message, like=None):
    with pytest.raises(ArtifactError, match=message):
        sensenet.decompile(trained, like=like or typed())


@pytest.mark.parametrize("level", [1, 2])
def test_optimized_models(level):
    model = sensenet.compile(typed(), "keras", optimize=level).model
    refuse(
        model, rf"optimized at level {level}: its layers were merged.*optimize=0\) makes the model to train"
    )


def test_models_with_a_layer_more():
    model = compile_keras(typed())
    more = layers.Dense(2, name="extra")(model.output)
    refuse(
        tf.keras.Model(model.input, more),
        r"there is an additional layer 'extra' \(Dense with kernel \[2, 2\], bias \[2\]\)",
    )


def numbers():
    """A network whose layers stand in a row."""
    columns = [{"type": "numeric", "index": i, "mean": 0.5, "stdev": 2.0} for i in range(FEATURES)]
    return network([dense(FEATURES, 3, "relu"), dense(3, 2, "softmax")], preprocess=columns)


def rebuild(change):
    """The model of these numbers, with the layer that `change` makes, if any, in the place of its first."""
    model = compile_keras(numbers())
    x = model.input
    for layer in model.layers[1:]:
        match layer.name:
            case "layer_0":
                x = replacement(x) if (replacement := change()) else x
            case "layer_1":
                x = layers.Dense(2, "softmax", name="layer_1")(x)
            case _:
                x = layer(x)
    return tf.keras.Model(model.input, x)


CHANGES = {
    "as it was": (lambda: layers.Dense(3, "relu", name="layer_0"), None),
    "taken away": (
        lambda: None,
        r"the layer 'layer_0' \(Dense with kernel \[5, 3\], bias \[3\]\) is missing",
    ),
    "renamed": (lambda: layers.Dense(3, "relu", name="mine"), r"the layer 'layer_0' .* is missing"),
    "other shape": (
        lambda: layers.Dense(4, "relu", name="layer_0"),
        r"'layer_0' is Dense with kernel \[5, 4\], bias \[4\], expected Dense with kernel \[5, 3\], bias",
    ),
    "other activation": (
        lambda: layers.Dense(3, "tanh", name="layer_0"),
        r"the layer 'layer_0' has config.activation \"tanh\", expected \"relu\"",
    ),
    "without bias": (
        lambda: layers.Dense(3, "relu", use_bias=False, name="layer_0"),
        r"'layer_0' is Dense with kernel \[5, 3\], expected Dense with kernel \[5, 3\], bias \[3\]",
    ),
}


@pytest.mark.parametrize(("change", "message"), CHANGES.values(), ids=CHANGES)
def test_models_with_another_layer(change, message):
    model = rebuild(change)
    if message is None:
        assert_predicts_as(model, sensenet.decompile(model, like=numbers()))
    else:
        refuse(model, message, like=numbers())


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda d: d["layers"].pop(6), "the layer 'layer_6' is Activation, expected Dense with kernel"),
        (lambda d: d["layers"].append(dense(2, 2)), r"the layer 'layer_8' \(Dense .*\) is missing"),
        (
            lambda d: d["layers"][0].update(activation_function="relu"),
            "'layer_0' has config.activation \"tanh\"",
        ),
        (lambda d: d["layers"][1].update(epsilon=0.5), "'layer_1' has config.epsilon 1e-05, expected 0.5"),
        (lambda d: d["layers"][4].update(inputs=[1, 3]), "'layer_4' has inputs .*, expected"),
        (lambda d: d["preprocess"][0].update(mean=7.0), "made of another document: its columns differ"),
        (lambda d: d["preprocess"][0].update(stdev=7.0), "made of another document: its columns differ"),
        (lambda d: d["output_exposition"].update(values=["no", "yes"]), "its classes differ"),
    ],
)
def test_models_of_another_document(change, message):
    like = typed()
    change(like)
    refuse(compile_keras(typed()), message, like=like)


def test_models_of_others():
    model = tf.keras.Sequential([tf.keras.Input((3,)), layers.Dense(2)])
    refuse(model, "was not made by sensenet")
    refuse(tf.keras.Sequential([tf.keras.Input((3,)), compile_keras(typed())]), "was not made by sensenet")
    refuse(object(), "expected a tf.keras.Model, found a object")


def test_weights_that_are_not_finite():
    model = compile_keras(typed())
    model.get_layer("layer_7").bias.assign([np.nan, 0])
    with pytest.raises(DocumentError, match=r"layers\[7\].offset: .*not finite"):
        sensenet.decompile(model, like=typed())


def test_a_variance_below_zero():
    model = compile_keras(typed())
    model.get_layer("layer_1").moving_variance.assign([-1.0] * 4)
    refuse(model, "the layer 'layer_1' has a variance below 0")


def test_other_files_and_artifacts(tmp_path):
    refuse(tmp_path / "none.keras", "none.keras: no such file")
    (tmp_path / "text").write_text("text")
    refuse(tmp_path / "text", "neither a .keras file nor an h5 file")
    (tmp_path / "m.keras").write_bytes(b"PK\x03\x04 cut off")
    refuse(tmp_path / "m.keras", "m.keras")
    refuse(sensenet.compile(typed(), "numpy"), "an artifact for the target numpy cannot be trained")
    path = sensenet.compile(legacy_network(), "h5").save(tmp_path / "weights.h5")
    refuse(path, "weights of another network")


# The command


def test_the_command(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    artifact = sensenet.compile(typed(), "keras", optimize=0)
    randomize(artifact.model)
    artifact.save("trained.keras")
    Path("deepnet.json").write_text(json.dumps(typed()))
    assert main(["trained.keras", "--like", "deepnet.json", "-o", "trained.json"]) == 0
    expected = sensenet.decompile(artifact, like=typed())
    assert json.loads(Path("trained.json").read_text()) == expected
    assert main(["trained.keras", "--like", "deepnet.json", "-o", "trained.json"]) == 1
    assert "trained.json" in capsys.readouterr().err
    assert main(["trained.keras", "--like", "deepnet.json", "-fo", "trained.json.gz"]) == 0
    assert json.loads(gzip.decompress(Path("trained.json.gz").read_bytes())) == expected


def test_the_command_writes_to_standard_output(tmp_path):
    path = sensenet.compile(typed(), "h5").save(tmp_path / "weights.h5")
    (tmp_path / "bare.json").write_text(json.dumps(strip_weights(typed())))
    result = subprocess.run(
        [sys.executable, "-m", "sensenet.decompile", path, "--like", tmp_path / "bare.json"],
        capture_output=True,
        check=True,
    )
    assert same_graph(import_graph(json.loads(result.stdout)), import_graph(typed()))
    assert result.stderr == b""


def test_decompile_is_a_function_that_needs_tensorflow_for_its_models_alone(tmp_path):
    path = sensenet.compile(typed(), "h5").save(tmp_path / "weights.h5")
    (tmp_path / "deepnet.json").write_text(json.dumps(typed()))
    code = """if True:
        import inspect, sys, sensenet.compiler.decompile, sensenet
        document = sensenet.decompile(sys.argv[1], like=sys.argv[2])
        print(*document, *inspect.signature(sensenet.decompile).parameters, "tensorflow" in sys.modules)
    """
    result = subprocess.run(
        [sys.executable, "-c", code, path, tmp_path / "deepnet.json"],
        capture_output=True,
        check=True,
        text=True,
    )
    assert result.stdout.split() == [*typed(), "trained", "like", "False"]


@pytest.mark.slow
@only_under_keras_3
def test_all_of_this_under_keras_2():
    run_under_keras_2(__file__, "-m", "not slow")


def test_a_file_that_may_not_be_read_is_named_with_the_reason(tmp_path, monkeypatch):
    path = tmp_path / "trained.keras"
    path.write_bytes(b"PK\x03\x04")

    def refuse(*_, **__):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "open", refuse)
    with pytest.raises(ArtifactError, match=r"trained\.keras cannot be read: Permission denied"):
        sensenet.decompile(path, typed())
