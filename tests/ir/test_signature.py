"""The signature and its JSON form."""

from __future__ import annotations

import json

import pytest

from sensenet.errors import ArtifactError
from sensenet.signature import (
    Booleans,
    CategoricalColumn,
    Field,
    ImageColumn,
    ImageInput,
    Items,
    ModelKind,
    Number,
    NumericColumn,
    Signature,
    Summary,
    Terms,
)

FULL = Signature(
    kind=ModelKind.DETECTOR,
    columns=[
        NumericColumn(index=2, missing=0.1),
        CategoricalColumn(index=-1, values=["a", None, "", "ñ\n"]),
        ImageColumn(index=0),
    ],
    classes=["yes", "no"],
    fields=[
        Field(id="000001", name="height", optype="numeric", encoding=Number(default=1.5, flags_missing=True)),
        Field(id="000003", name="text", optype="text", encoding=Terms(terms=["a", "ñ"], forms={"b": 1})),
        Field(id="000004", name="list", optype="items", encoding=Items(items=["x"], separator_regexp="[,;]")),
        Field(id="000005", name="flag", optype="categorical", encoding=Booleans(true="1", false="0")),
        Field(
            id="000006",
            name="width",
            optype="numeric",
            summary=Summary(
                minimum=0,
                maximum=9.5,
                mean=2.5,
                median=2,
                standard_deviation=0.5,
                counts=[(0.5, 3)],
                missing=1,
            ),
        ),
    ],
    objective=Field(
        id="000002", name="class", optype="categorical", summary=Summary(counts=[("yes", 2), ("no", 0)])
    ),
    image=ImageInput(height=32, width=64, channels=3, rescale_type="warp"),
    name="model",
    description="of\nsomething",
    missing_tokens=["", "NA"],
    settings={"max_objects": 3, "regression_normalize": True, "iou_threshold": 0.25},
)


@pytest.mark.parametrize("signature", [Signature(), FULL], ids=["empty", "full"])
def test_json_round_trip(signature):
    record = json.loads(json.dumps(signature.to_json()))
    assert Signature.from_json(record) == signature
    assert record["format_version"] == 1


def test_sequences_are_tuples():
    assert isinstance(FULL.columns, tuple)
    assert FULL.columns[1].values == ("a", None, "", "ñ\n")
    assert FULL.image_columns == (ImageColumn(index=0),)


def test_cells_of_fields():
    assert FULL.cell_names == ("height", "height is missing", "text a", "text ñ", "list x", "flag", "width")
    assert [field.cell_type for field in FULL.fields] == ["numeric"] * 3 + ["categorical", "numeric"]


def test_files_without_missing_tokens_have_none():
    record = FULL.to_json()
    del record["missing_tokens"]
    assert Signature.from_json(record).missing_tokens == ()


def test_keys_of_later_releases_are_ignored():
    assert Signature.from_json({**FULL.to_json(), "future": 1}) == FULL


def changed(**changes: object) -> dict[str, object]:
    return {**FULL.to_json(), **changes}


def encoded(encoding: object) -> dict[str, object]:
    return {"id": "1", "name": "a", "optype": "text", "encoding": encoding}


def summarized(**summary: object) -> dict[str, object]:
    return {"id": "1", "name": "a", "optype": "numeric", "summary": summary}


COLUMN = {"type": "numeric", "index": 0, "missing": 0.0}


@pytest.mark.parametrize(
    "record",
    [
        None,
        [],
        "signature",
        {},
        changed(format_version="1"),
        changed(kind="forest"),
        changed(kind=[]),
        changed(columns=None),
        changed(columns={"type": "numeric"}),
        changed(columns=[None]),
        changed(columns=[{**COLUMN, "type": "text"}]),
        changed(columns=[{**COLUMN, "type": []}]),
        changed(columns=[{**COLUMN, "index": "0"}]),
        changed(columns=[{**COLUMN, "index": True}]),
        changed(columns=[{**COLUMN, "missing": None}]),
        changed(columns=[{**COLUMN, "more": None}]),
        changed(columns=[{"type": "categorical", "index": 0, "values": "abc"}]),
        changed(columns=[{"type": "categorical", "index": 0, "values": [1]}]),
        changed(classes="yes"),
        changed(classes=[1]),
        changed(fields=[{"id": "1", "name": "a"}]),
        changed(fields=[{"id": "1", "name": 1, "optype": "numeric"}]),
        changed(fields=[encoded({"type": "words"})]),
        changed(fields=[encoded({"type": "terms"})]),
        changed(fields=[encoded({"type": "terms", "terms": "abc"})]),
        changed(fields=[encoded({"type": "terms", "terms": [1]})]),
        changed(fields=[encoded({"type": "terms", "terms": ["a"], "forms": {"b": 1}})]),
        changed(fields=[encoded({"type": "terms", "terms": ["a"], "forms": {"b": True}})]),
        changed(fields=[encoded({"type": "terms", "terms": ["a"], "forms": ["b"]})]),
        changed(fields=[encoded({"type": "terms", "terms": ["a"], "token_mode": "some"})]),
        changed(fields=[encoded({"type": "items", "items": ["a"], "separator": None})]),
        changed(fields=[encoded({"type": "number", "default": "1"})]),
        changed(fields=[encoded({"type": "booleans", "true": "1"})]),
        changed(fields=[encoded([])]),
        changed(fields=[summarized(minimum="1")]),
        changed(fields=[summarized(maximum=float("inf"))]),
        changed(fields=[summarized(mode=1)]),
        changed(fields=[summarized(missing=-1)]),
        changed(fields=[summarized(counts="ab")]),
        changed(fields=[summarized(counts=[["a", 1, 2]])]),
        changed(fields=[summarized(counts=[["a", -1]])]),
        changed(fields=[summarized(counts=[[True, 1]])]),
        changed(fields=[{**summarized(), "summary": []}]),
        changed(missing_tokens="NA"),
        changed(objective=[]),
        changed(image={"height": 1.5, "width": 2, "channels": 3, "rescale_type": "warp"}),
        changed(name=None),
        changed(settings=None),
        changed(settings={"max_objects": [3]}),
        {name: value for name, value in FULL.to_json().items() if name != "description"},
    ],
)
def test_other_json_is_refused(record):
    with pytest.raises(ArtifactError, match="not a signature of a sensenet model"):
        Signature.from_json(record)


def test_newer_formats_are_refused():
    with pytest.raises(ArtifactError, match="upgrade sensenet"):
        Signature.from_json(changed(format_version=2))
