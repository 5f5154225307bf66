"""The tensors that rows are encoded as, for whoever trains or runs a network without the model."""

from __future__ import annotations

import numpy as np
import pytest
from support.documents import ROW, dense, ensemble, image, typed

import sensenet
from sensenet.errors import InputError


def answers(model, inputs):
    return model._executable.run(inputs)["predictions"]


@pytest.mark.parametrize("rows", [[list(ROW)] * 3, [[None, "blue", 10], [1.5, "none of them", 0]]])
def test_the_network_answers_them_as_the_model_does(rows):
    model = sensenet.create_model(typed())
    inputs = model.encode(rows)
    assert inputs["numeric_inputs"].dtype == np.float32
    np.testing.assert_array_equal(answers(model, inputs), model(rows))


def test_rows_are_all_that_a_model_takes():
    model = sensenet.create_model(ensemble())
    by_name = model.encode([{"width": 2.5, "colour": "green"}, {"switch": 1}])["numeric_inputs"]
    np.testing.assert_array_equal(by_name, [[2.5, 1, 0], [1.5, -1, 1]])
    np.testing.assert_array_equal(model.encode([2.5, "green", None])["numeric_inputs"], by_name[:1])
    with pytest.raises(InputError, match="row 1"):
        model.encode([[1.0, "red", 0], ["much", "red", 0]])


def test_many_rows_and_none():
    columns = [{"type": "numeric", "index": i, "mean": 0.5, "stdev": 2.0} for i in range(5)]
    model = sensenet.create_model({**typed(), "preprocess": columns})
    rows = np.random.default_rng(0).normal(size=(10_000, 5))
    np.testing.assert_array_equal(model.encode(rows)["numeric_inputs"], rows.astype(np.float32))
    assert model.encode(rows[:0])["numeric_inputs"].shape == (0, 5)


def test_images_have_the_size_of_the_network():
    model = sensenet.create_model(image())
    rows = [[np.full((side, 9, 3), side, np.uint8), 1.0] for side in range(5, 45)]
    inputs = model.encode(rows)
    assert {name: array.shape for name, array in inputs.items()} == {
        "numeric_inputs": (40, 2),
        "image_pixel_inputs": (40, 6, 8, 3),
    }
    np.testing.assert_allclose(answers(model, inputs), model(rows), rtol=1e-5)


def test_images_alone():
    document = {**image(), "preprocess": [{"type": "image", "index": 0}], "layers": [dense(3, 2, "softmax")]}
    model = sensenet.create_model(document)
    images = np.random.default_rng(0).integers(0, 256, (20, 6, 8, 3)).astype(np.uint8)
    np.testing.assert_array_equal(model.encode(images)["image_pixel_inputs"], images)
