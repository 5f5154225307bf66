"""Detectors on annotated images, through `evaluate`."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from PIL import Image
from support.evaluations import only
from support.resources import region_resource

import sensenet
from sensenet.errors import InputError, InputTypeError, SettingsError
from sensenet.evaluation import evaluate


def test_detectors(tmp_path):
    pixels = np.random.default_rng(1).integers(0, 256, (40, 60, 3), np.uint8)
    Image.fromarray(pixels).save(tmp_path / "a.png")
    document = region_resource()
    model = sensenet.create_model(document, {"bounding_box_threshold": 0.001, "max_objects": 100})
    found = model(str(tmp_path / "a.png"))
    boxes = [
        {"image_id": 1, "category_id": model.classes.index(each["label"])}
        | {
            "bbox": [
                each["box"][0],
                each["box"][1],
                each["box"][2] - each["box"][0],
                each["box"][3] - each["box"][1],
            ]
        }
        for each in found
    ]
    annotations = {
        "images": [{"id": 1, "file_name": "a.png"}],
        "annotations": boxes,
        "categories": [{"id": number_, "name": name} for number_, name in enumerate(model.classes)],
    }
    path = tmp_path / "annotations.json"
    path.write_text(json.dumps(annotations))
    report = evaluate(document, path)
    assert found
    assert only(report).mean_average_precision == pytest.approx(1)
    assert (report.rows, report.notes) == (1, ())
    strict = evaluate(document, path, settings={"bounding_box_threshold": 0.5})
    assert "returns only boxes with scores above 0.5" in strict.notes[0]
    with pytest.raises(InputError, match="expected the path of annotations"):
        evaluate(document, pa.table({"photo": ["a.png"]}))


def test_the_thresholds_of_an_artifact_hold_for_documents_next_to_it(tmp_path):
    Image.fromarray(np.zeros((20, 20, 3), np.uint8)).save(tmp_path / "a.png")
    path = tmp_path / "coco.json"
    path.write_text(
        json.dumps(
            {
                "images": [{"id": 1, "file_name": "a.png"}],
                "annotations": [{"image_id": 1, "category_id": 1, "bbox": [1, 1, 5, 5]}],
                "categories": [{"id": 1, "name": "cup"}],
            }
        )
    )
    document = region_resource()
    artifact = sensenet.compile(document, target="numpy", settings={"bounding_box_threshold": 0.25})
    report = evaluate([document, artifact], path)
    assert [each.result.lowest_score for each in report.evaluations] == [0.25, 0.25]
    assert len(report.notes) == 2
    (comparison,) = report.comparisons
    assert (comparison.images, comparison.difference, comparison.p_value) == (1, 0, None)


def test_detectors_of_other_classes_are_not_compared(tmp_path):
    shapes = Path(__file__).parents[2] / "examples" / "shapes.json.gz"
    with pytest.raises(InputError, match="model 2 has other classes than model 1"):
        evaluate([region_resource(), sensenet.create_model(shapes)], tmp_path / "coco.json")


@pytest.mark.parametrize("option", [{"truth": "kind"}, {"ignore": ["id"]}, {"format": "csv"}])
def test_options_of_tables_are_refused(tmp_path, option):
    with pytest.raises(SettingsError, match="truth, ignore and format are for tables"):
        evaluate(region_resource(), tmp_path / "coco.json", **option)


@pytest.mark.parametrize("images", [7, ["a", "b"], []])
def test_the_folder_of_images_is_a_path(tmp_path, images):
    with pytest.raises(InputTypeError, match="images: expected the path of a folder"):
        evaluate(region_resource(), tmp_path / "coco.json", images=images)
