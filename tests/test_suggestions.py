"""Unknown names: every message has the nearest known one, and takes values of any type."""

from __future__ import annotations

import pytest
from support.documents import typed

import sensenet
from sensenet.errors import SettingsError, UnknownNetworkError, UnknownTargetError
from sensenet.models.wrappers import convert, create_model
from sensenet.pretrained import get_pretrained_network
from sensenet.suggestions import suggest


def predict_positive(positive_class):
    point = {"kind": "probability", "positive_class": positive_class, "threshold": 0.5}
    return create_model(typed()).predict([0] * 8, operating_point=point)


USES = {
    "target": (lambda name: sensenet.compile(typed(), name), "numpy", UnknownTargetError),
    "engine": (lambda name: create_model(typed(), engine=name), "numpy", UnknownTargetError),
    "format": (lambda name: convert(typed(), None, "never-written", name), "tflite", UnknownTargetError),
    "network": (get_pretrained_network, "resnet50", UnknownNetworkError),
    "class": (predict_positive, typed()["output_exposition"]["values"][0], SettingsError),
}
"""What takes a name, a name that is known, and the error for another."""


@pytest.mark.parametrize("use", USES)
def test_the_nearest_name_is_suggested_in_any_case(use):
    function, known, error = USES[use]
    for name in (known[:-1] + known[-1] * 2, known.swapcase()):
        with pytest.raises(error, match=f"did you mean '{known}'") as caught:
            function(name)
        assert repr(name) in str(caught.value)


@pytest.mark.parametrize("use", USES)
def test_a_value_that_is_not_text_is_an_unknown_name(use):
    function, _, error = USES[use]
    for name in ([], ["tflite"], {}, 3, float("nan"), object()):
        with pytest.raises(error):
            function(name)


def test_a_long_name_makes_a_short_message():
    with pytest.raises(UnknownTargetError) as caught:
        sensenet.compile(typed(), "tflite" * 100_000)
    assert len(str(caught.value)) < 300


def test_a_word_that_is_near_to_a_network():
    with pytest.raises(UnknownNetworkError, match="did you mean 'resnet50'"):
        create_model("ResNet-50")


def test_names_far_from_all_others_get_no_suggestion():
    assert suggest("caffe", ["numpy", "tflite"]) == ""
    assert suggest("", ["numpy"]) == ""
