"""Rows by field name, of every type of field: through every target's files, and through the command."""

from __future__ import annotations

import copy
import csv
import io

import numpy as np
import pytest
from PIL import Image
from support.resources import RESOURCES, image_resource, region_resource

import sensenet
from sensenet.backends import TARGETS
from sensenet.cli.predict import main
from sensenet.errors import InputError
from sensenet.models.wrappers import create_model

ROWS = (
    {
        "Message": "Free entry: call, calls or text!",
        "age": 30,
        "color": "red",
        "tags": "a; b c",
        "member": True,
    },
    {
        "Message": None,
        "when.year": 2001,
        "cost": "$2.5 each",
        "title": "free",
        "body": "dont DON 50",
        "codes": "x and y|x",
    },
    {"000000": "FREE FREE", "age": "N/A", "color": "NA", "member": "false"},
    {},
)


def resource():
    return RESOURCES["mixed"]()


def test_each_field_changes_the_answer():
    model = create_model(resource())
    nothing = model({})
    values = {**ROWS[0], **ROWS[1], "Message": "free"}
    assert set(values) == {field.name for field in model.signature.fields}
    for name, value in values.items():
        assert not np.array_equal(model({name: value}), nothing), name


def test_names_that_no_field_has_are_told():
    model = create_model(resource())
    for row in ({"message": "free"}, {"free": 1}, {"Message": "free", "colour": "red"}):
        with pytest.raises(InputError, match="unknown field"):
            model(row)
    assert model({"kind": "spam"}).shape == (1, 3)  # the objective's may be there


@pytest.mark.tensorflow
@pytest.mark.parametrize("target", ["numpy", "ir", "keras", "savedmodel", "smbundle", "tflite", "tfjs"])
def test_files_of_every_target_know_the_fields(target, tmp_path):
    path = tmp_path / f"model{TARGETS[target].suffix}"
    sensenet.compile(resource(), target=target).save(path)
    model, expected = create_model(path), create_model(resource())
    assert model.signature == expected.signature
    np.testing.assert_allclose(model(list(ROWS)), expected(list(ROWS)), atol=2e-6)
    with pytest.raises(InputError, match="unknown field 'Mesage': did you mean 'Message'"):
        model({"Mesage": "free"})


def test_the_graph_as_text_keeps_the_fields(tmp_path):
    sensenet.compile(resource(), target="ir").save(tmp_path / "model.ir")
    again = sensenet.compile(tmp_path / "model.ir", target="numpy")
    assert again.graph.signature == create_model(resource()).signature


def test_tables_with_a_column_of_texts(tmp_path, capsys):
    document = tmp_path / "model.ir"
    sensenet.compile(resource(), target="ir").save(document)
    table = tmp_path / "rows.csv"
    names = ["Message", "age", "tags", "member", "cost"]
    rows = [
        ["Free, call", "3", "a; b c", "true", "$1.5 each"],
        ["", "", "", "", ""],
        ["calls", "?", "", "", "7"],
    ]
    with table.open("w", newline="") as stream:
        csv.writer(stream).writerows([names, *rows])
    assert main([str(document), str(table)]) == 0
    _, *answers = csv.reader(io.StringIO(capsys.readouterr().out))
    by_name = [dict(zip(names, row, strict=True)) for row in rows]
    expected = create_model(resource())(by_name)
    assert [[float(cell) for cell in row[1:]] for row in answers] == pytest.approx(expected, abs=1e-6)
    assert len({tuple(row) for row in answers}) == len(rows)


def test_a_text_that_cannot_be_read_is_told_with_its_line(tmp_path, capsys):
    document = copy.deepcopy(resource())  # its fields are those of other documents
    for field in document["object"]["deepnet"]["fields"].values():
        if field["optype"] == "items":
            field["item_analysis"]["separator_regexp"] = "(a+)+"
    sensenet.compile(document, target="ir").save(tmp_path / "model.ir")
    table = tmp_path / "rows.csv"
    table.write_text("Message,tags\nfree,\nfree,aaaa\n")
    assert main([str(tmp_path / "model.ir"), str(table)]) == 1
    error = capsys.readouterr().err
    assert 'rows.csv, line 3: field "tags": the separator of the field\'s items' in error


def test_images_by_name(tmp_path):
    Image.new("RGB", (9, 7), (200, 30, 90)).save(tmp_path / "image.png")
    model = create_model(image_resource(), {"image_path_prefix": str(tmp_path)})
    np.testing.assert_array_equal(model({"photo": "image.png", "width": 2}), model([["image.png", 2]]))
    assert not np.array_equal(model({"photo": "image.png"}), model({"width": None}))


def test_objects_on_images_by_name(tmp_path):
    paths = [str(tmp_path / f"{size}.png") for size in (8, 20)]
    for path, size in zip(paths, (8, 20), strict=True):
        Image.effect_noise((size, 16), 90).convert("RGB").save(path)
    model = create_model(region_resource(), {"bounding_box_threshold": 0.01})
    assert model({"photo": paths[0]}) == model(paths[0]) != []
    assert model([{"photo": paths[0]}, {"000000": paths[1]}]) == model(paths)
    with pytest.raises(InputError, match="unknown field 'foto': did you mean 'photo'"):
        model({"foto": paths[0]})
