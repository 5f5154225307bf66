"""JSON → Keras → fit → JSON: training at level 0 improves every kind of network, and the document has it."""

from __future__ import annotations

import json

import numpy as np
import pytest
from support.documents import (
    CLASSES,
    convolution,
    dense,
    detector,
    ensemble,
    legacy_network,
    network,
    normalization,
    tree,
    typed,
)
from support.keras_2 import only_under_keras_3, run_under_keras_2

import sensenet
from sensenet.backends.keras.weights import weighted_nodes
from sensenet.frontend import import_graph

tf = pytest.importorskip("tensorflow")
pytestmark = pytest.mark.tensorflow


ROWS = 64


@pytest.fixture(autouse=True)
def seeds():
    tf.keras.utils.set_random_seed(0)


def table():
    """Rows for PREPROCESS of `support.documents`, with missing cells, and what is to be learned of them."""
    random = np.random.default_rng(0)
    colors = random.choice(["red", "green", "blue", "no color"], ROWS)
    numbers = random.normal(1.5, 2, ROWS)
    rows = [[float(number), str(color), None] for number, color in zip(numbers, colors, strict=True)]
    return rows, numbers + 3 * (colors == "red")


def one_hot(classes, count=2):
    return np.eye(count, dtype=np.float32)[np.asarray(classes, int)]


def with_trees():
    """A classifier that reads trees, with every dropout of vectors, and batch normalization."""
    layers = [
        dense(FEATURES_WITH_TREES, 8, "leaky_relu"),
        normalization(8),
        {"type": "activation", "activation_function": "mish"},
        {"type": "dropout", "dropout_type": "zero", "rate": 0.1},
        {"type": "dropout", "dropout_type": "alpha", "rate": 0.1},
        dense(8, 2, "softmax"),
    ]
    return network(layers, trees=[[[0, 2], [tree(2), tree(1)]], [[1, 5], [tree(0), tree(3)]]])


FEATURES_WITH_TREES = 9


def images():
    """Bright or dark: convolutions, batch normalization, dropout of blocks."""
    layers = [
        convolution(3, 4, strides=[2, 2], activation_function=None),
        {**normalization(4), "mean": [0.0] * 4, "variance": [4.0] * 4},
        {"type": "activation", "activation_function": "relu6"},
        {"type": "dropout", "dropout_type": "block", "rate": 0.1, "block_size": 2},
        convolution(4, 4, padding="valid"),
        {"type": "global_average_pool_2d"},
    ]
    metadata = {
        "base_image_network": "simple",
        "input_image_shape": [8, 8, 3],
        "loading_method": "normalizing",
    }
    return {
        "preprocess": [{"type": "image", "index": 0}],
        "image_network": {"metadata": metadata, "layers": layers},
        "layers": [dense(4, 2, "softmax")],
        "output_exposition": CLASSES,
        "trees": None,
    }


def classification(make):
    rows, value = table()
    return make(), rows, one_hot(value > 2.5), "categorical_crossentropy"


def regression():
    rows, value = table()
    return ensemble(), rows, value.astype("f4")[:, None], "mse"


def recognition():
    random = np.random.default_rng(0)
    bright = np.arange(ROWS) % 2
    levels = 100 + 60 * bright[:, None, None, None]
    pixels = np.clip(levels + random.normal(0, 20, (ROWS, 11, 9, 3)), 0, 255).astype(np.uint8)
    return images(), [[image] for image in pixels], one_hot(bright), "categorical_crossentropy"


TASKS = {
    "typed": lambda: classification(typed),
    "legacy": lambda: classification(legacy_network),
    "trees": lambda: classification(with_trees),
    "regression of an ensemble": regression,
    "images": recognition,
}


def compile_to_train(document, loss, rate=0.02):
    """The model, whose batch normalizations follow within a few steps what they see."""
    model = sensenet.compile(document, "keras", optimize=0).model
    for layer in model.layers:
        if isinstance(layer, tf.keras.layers.BatchNormalization):
            layer.momentum = 0.5
    model.compile(tf.keras.optimizers.Adam(rate), loss)
    return model


def assert_close(got, want):
    scale = np.abs(want).max(initial=1)
    np.testing.assert_allclose(got / scale, want / scale, atol=1e-5)


@pytest.mark.parametrize("task", TASKS.values(), ids=TASKS)
def test_training_improves_the_document(task):
    document, rows, wanted, loss = task()
    before = json.dumps(document)
    inputs = sensenet.create_model(document).encode(rows)
    model = compile_to_train(document, loss)
    worse = model.evaluate(inputs, wanted, verbose=0)
    model.fit(inputs, wanted, epochs=60, batch_size=16, verbose=0)
    better = model.evaluate(inputs, wanted, verbose=0)
    assert better < 0.6 * worse
    trained = sensenet.decompile(model, like=document)
    assert json.dumps(document) == before
    assert_close(sensenet.create_model(trained)(rows), model.predict(inputs, verbose=0))


def test_training_goes_on_from_the_document():
    """What is compiled again is the same network to train: it has the loss that training ended with."""
    document, rows, wanted, loss = TASKS["trees"]()
    inputs = sensenet.create_model(document).encode(rows)
    losses = []
    for _ in range(3):
        model = compile_to_train(document, loss)
        losses.append(model.evaluate(inputs, wanted, verbose=0))
        model.fit(inputs, wanted, epochs=5, verbose=0)
        assert sensenet.decompile(model, like=document) != document
        document = sensenet.decompile(model, like=document)
        losses.append(model.evaluate(inputs, wanted, verbose=0))
    assert losses[1:-1:2] == pytest.approx(losses[2::2], rel=1e-4)
    assert losses[0] > losses[1] > losses[-1]


def test_a_saved_model_trains_on(tmp_path):
    document, rows, wanted, loss = TASKS["images"]()
    inputs = sensenet.create_model(document).encode(rows)
    model = compile_to_train(document, loss)
    model.fit(inputs, wanted, verbose=0)
    model.save(tmp_path / "m.keras")
    loaded = tf.keras.models.load_model(tmp_path / "m.keras")
    middle = loaded.evaluate(inputs, wanted, verbose=0)
    assert middle == pytest.approx(model.evaluate(inputs, wanted, verbose=0), rel=1e-4)
    loaded.fit(inputs, wanted, epochs=10, verbose=0)
    assert loaded.evaluate(inputs, wanted, verbose=0) < middle
    trained = sensenet.decompile(loaded, like=document)
    assert_close(sensenet.create_model(trained)(rows), loaded.predict(inputs, verbose=0))


def test_data_sets_give_inputs_by_name():
    document, rows, wanted, loss = TASKS["trees"]()
    inputs = sensenet.create_model(document).encode(rows)
    assert list(inputs) == ["numeric_inputs"]
    model = sensenet.compile(document, "keras", optimize=0).model
    model.compile("adam", loss)
    for given in (inputs, inputs["numeric_inputs"]):
        batches = tf.data.Dataset.from_tensor_slices((given, wanted)).shuffle(ROWS).batch(10)
        model.fit(batches, verbose=0)
        model.fit(given, wanted, verbose=0)
        assert_close(model.predict(batches.map(lambda x, _: x), verbose=0).shape, (ROWS, 2))


@pytest.mark.parametrize("task", TASKS.values(), ids=TASKS)
def test_every_weight_of_the_document_has_a_gradient_and_nothing_else_is_trained(task):
    document, rows, wanted, _ = task()
    inputs = sensenet.create_model(document).encode(rows)
    model = sensenet.compile(document, "keras", optimize=0).model
    weighted = {node.name for node in weighted_nodes(import_graph(document))}
    assert {layer.name for layer in model.layers if layer.weights} == weighted
    with tf.GradientTape() as tape:
        found = model(inputs if len(inputs) > 1 else next(iter(inputs.values())), training=True)
        total = tf.reduce_mean((found - wanted) ** 2)
    gradients = tape.gradient(total, model.trainable_variables)
    for variable, gradient in zip(model.trainable_variables, gradients, strict=True):
        assert gradient is not None, variable.name
        assert np.isfinite(gradient).all(), variable.name
        cut_off = "bias" in variable.name or document == typed()  # by batch normalization; by split_channels
        assert cut_off or np.any(gradient), variable.name


def test_moving_statistics_follow_the_batches():
    document, rows, wanted, _ = TASKS["trees"]()
    inputs = sensenet.create_model(document).encode(rows)
    model = sensenet.compile(document, "keras", optimize=0).model
    layer = model.get_layer("layer_1")
    read = tf.keras.Model(model.input, model.get_layer("layer_0").output)
    batch = read(inputs["numeric_inputs"]).numpy()
    _, _, mean, variance = layer.get_weights()
    model.compile(tf.keras.optimizers.SGD(0.0), "mse")
    model.fit(inputs, wanted, batch_size=ROWS, verbose=0)
    _, _, new_mean, new_variance = layer.get_weights()
    np.testing.assert_allclose(new_mean, 0.99 * mean + 0.01 * batch.mean(axis=0), rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(new_variance, 0.99 * variance + 0.01 * batch.var(axis=0), rtol=1e-2)


def test_a_detector_is_trained_through_its_branches():
    """Boxes have no gradient: a model of the branches' raw numbers trains the layers that both share."""
    document = detector()
    random = np.random.default_rng(0)
    pixels = random.uniform(0, 255, (16, 16, 16, 3)).astype(np.float32)
    model = sensenet.compile(document, "keras", optimize=0).model
    raw = [model.get_layer(f"image_layer_{number}").output for number in (1, 3)]
    trainer = tf.keras.Model(model.input, raw)
    wanted = [np.zeros((16, *output.shape[1:]), np.float32) for output in raw]
    trainer.compile(tf.keras.optimizers.Adam(0.05), ["mse", "mse"])
    worse, *_ = trainer.evaluate(pixels, wanted, verbose=0)
    trainer.fit(pixels, wanted, epochs=10, verbose=0)
    better, *_ = trainer.evaluate(pixels, wanted, verbose=0)
    assert better < 0.6 * worse
    trained = sensenet.decompile(model, like=document)
    kernels = [written["image_network"]["layers"][1]["kernel"] for written in (trained, document)]
    assert kernels[0] != kernels[1]
    got, want = sensenet.create_model(trained), sensenet.compile(trained, "keras").model
    assert len(got(pixels[0].astype("u1"))) == int(want(pixels[:1].astype("u1").astype("f4"))["valid"][0])


@pytest.mark.slow
@only_under_keras_3
def test_all_of_this_under_keras_2():
    run_under_keras_2(__file__, "-m", "not slow")
