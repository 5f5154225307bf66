"""Settings: names, values, defaults, and the form of the command line."""

from __future__ import annotations

import json
from fractions import Fraction
from pathlib import Path

import attrs
import numpy as np
import pytest
from support.conformance import read_recorded

from sensenet.errors import SettingsError
from sensenet.models import settings as settings_of_models
from sensenet.settings import DEFAULTS, Settings, ensure_settings, parse_setting

STRICTER = ("{'bounding_box_threshold': True}", "{'max_objects': -3}")
"""Accepted by the published package, by accident; as text, because True equals 1."""


def test_recorded_validation():
    for record in read_recorded("settings_validation.json"):
        if record["ok"] and repr(record["settings"]) not in STRICTER:
            given = ensure_settings(record["settings"]).given()
            assert given == {k: v for k, v in (record["settings"] or {}).items() if v is not None}
        else:
            with pytest.raises(SettingsError):
                ensure_settings(record["settings"])


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"iou_treshold": 0.5}, "did you mean 'iou_threshold'"),
        ({"zzz": 1}, "expected one of: bounding_box_threshold, iou_threshold"),
        ({3: 1}, "unknown setting 3"),
        ({"rescale_type": "stretch"}, "'rescale_type' is 'stretch'; expected one of warp, pad, crop"),
        ({"iou_threshold": float("nan")}, "expected a number from 1e-08 to 1"),
        ({"max_objects": True}, "expected a positive integer"),
        ({"regression_normalize": 1}, "expected true or false"),
        ({"image_path_prefix": 3}, "expected a string or a path"),
        ({"image_path_prefix": b"images"}, "expected a string or a path"),
        ({"iou_threshold": np.float32("nan")}, "'iou_threshold' is nan; expected a number from 1e-08 to 1"),
        ({"iou_threshold": np.True_}, "expected a number"),
        ({"iou_threshold": Fraction(10**400, 3)}, "expected a number"),
        ({"iou_threshold": np.array([0.5])}, "expected a number"),
        ({"max_objects": np.int64(-1)}, "expected a positive integer"),
        ({"max_objects": np.float32(3)}, "expected a positive integer"),
        ([], "found list"),
    ],
)
def test_refusals_say_what_is_allowed(settings, message):
    with pytest.raises(SettingsError, match=message):
        ensure_settings(settings)


def test_numbers_of_numpy_and_paths_become_those_of_python():
    """The published package takes np.float32 and np.int64 as thresholds; files of settings are JSON."""
    given = {
        "iou_threshold": np.float32(0.25),
        "bounding_box_threshold": np.int64(1),
        "max_objects": np.uint8(3),
        "image_path_prefix": Path("images"),
    }
    settings = ensure_settings(given)
    assert settings == Settings(**given)
    assert json.loads(json.dumps(settings.given())) == settings.given()
    assert settings.given() == {**given, "image_path_prefix": "images"}
    assert type(ensure_settings({"iou_threshold": np.float64(0.5)}).iou_threshold) is float


def test_settings_show_what_is_given():
    settings = Settings(max_objects=3, color_space="bgr")
    assert repr(settings) == "Settings(max_objects=3, color_space='bgr')"
    assert eval(repr(settings)) == settings
    published = settings_of_models.Settings({"max_objects": 3})
    assert repr(published) == "Settings({'max_objects': 3})"
    assert eval(repr(published), vars(settings_of_models)) == published


def test_none_is_the_default():
    assert ensure_settings(None) == Settings() == ensure_settings({"color_space": None})
    assert Settings().given() == {}


def test_settings_pass_through():
    settings = Settings(max_objects=3)
    assert ensure_settings(settings) is settings
    assert settings_of_models.ensure_settings(settings) is settings


def test_override():
    first = Settings(max_objects=3, color_space="bgr")
    assert first.override(Settings(max_objects=4)) == Settings(max_objects=4, color_space="bgr")


def test_defaults_are_valid_settings():
    assert ensure_settings(DEFAULTS).given() == DEFAULTS


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("iou_threshold=0.25", ("iou_threshold", 0.25)),
        ("iou_threshold=1", ("iou_threshold", 1.0)),
        ("max_objects=7", ("max_objects", 7)),
        ("regression_normalize=true", ("regression_normalize", True)),
        ("regression_normalize=False", ("regression_normalize", False)),
        ("image_path_prefix=a=b", ("image_path_prefix", "a=b")),
        ("color_space=", ("color_space", "")),
    ],
)
def test_parse_setting(text, expected):
    name, value = parse_setting(text)
    assert (name, value) == expected
    assert type(value) is type(expected[1])


@pytest.mark.parametrize(
    "text", ["iou_threshold", "x=1", "max_objects=3.0", "regression_normalize=1", "iou_threshold=much"]
)
def test_parse_setting_refuses(text):
    with pytest.raises(SettingsError):
        parse_setting(text)


def test_every_setting_can_be_given_on_a_command_line():
    texts = {"bool": "true", "int": "3", "float": "0.5", "str": "rgb"}
    for field in attrs.fields(Settings):
        kind = field.type.removesuffix(" | None")
        assert parse_setting(f"{field.name}={texts[kind]}")[0] == field.name


@pytest.mark.parametrize("wrong", [[], "", 0, [("max_objects", 3)]])
def test_what_is_no_mapping_is_refused_at_the_published_path_too(wrong):
    for ensure in (ensure_settings, settings_of_models.ensure_settings):
        with pytest.raises(SettingsError, match="expected settings as a dict, Settings or None"):
            ensure(wrong)
