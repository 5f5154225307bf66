"""Graph models of TensorFlow.js, and what damages them."""

from __future__ import annotations

import json


def damage(files, change):
    model = json.loads(files["model.json"])
    change(model)
    return {**files, "model.json": json.dumps(model).encode()}
