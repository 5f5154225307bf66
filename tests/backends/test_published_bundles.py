"""Bundles that the published package wrote: they load, and predict what it recorded."""

from __future__ import annotations

import json

import numpy as np
import pytest
from support.conformance import DATA, as_cell, recorded_cases

from sensenet.backends.formats.smbundle import pack, unpack
from sensenet.models.wrappers import create_image_feature_extractor, create_model

pytestmark = pytest.mark.tensorflow


@pytest.mark.parametrize("case", recorded_cases("smbundle"))
def test_a_published_bundle_predicts_what_was_recorded(case):
    record = case.read()
    model = create_model(DATA / "smbundle" / record["smbundle"])
    for row, expected in zip(record["inputs"], record["outputs"], strict=True):
        cells = as_cell(row)
        if record["kind"] == "detector":
            found = model(cells[0])
            assert [(each["box"], each["label"]) for each in found] == [
                (each["box"], each["label"]) for each in expected
            ]
            scores = [[each["score"] for each in objects] for objects in (found, expected)]
            assert np.allclose(*scores, atol=1e-4)
        else:
            assert np.allclose(model([cells])[0], expected, atol=2e-6, rtol=2e-5)


def test_a_published_feature_extractor_has_no_classes(conformance, tmp_path):
    files = dict(unpack((conformance / "smbundle" / "conv.smbundle").read_bytes()))
    recorded = json.loads(files["assets/settings.json"])
    del recorded["_classes"]
    files["assets/settings.json"] = json.dumps({**recorded, "extract_image_features": True}).encode()
    (tmp_path / "extractor.smbundle").write_bytes(pack(files))
    image = np.zeros((30, 30, 3), np.uint8)
    expected = create_model(conformance / "smbundle" / "conv.smbundle")(image)
    extract = create_image_feature_extractor(tmp_path / "extractor.smbundle", None)
    assert extract.classes == ()
    assert extract(image).tolist() == expected.tolist()
