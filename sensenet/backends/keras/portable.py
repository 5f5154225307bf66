"""What a saved file has in the place of the layer with the signature, so that Keras opens it by itself.

In memory, a layer of ours carries the signature, which `model.save` saves as it is. A file that an artifact
writes has Keras' Identity in its place, of the same name, and what the layer carries in a member of its own,
which Keras does not read.
"""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Mapping
from typing import Any

from sensenet.backends.keras.layers import LAYER_MODULE, PACKAGE
from sensenet.backends.keras.model import Making
from sensenet.backends.keras.names import CONFIGURATION, SIGNATURE
from sensenet.errors import ArtifactError
from sensenet.signature import Signature

CARRIER = {
    "module": LAYER_MODULE,
    "class_name": "SignatureLayer",
    "registered_name": f"{PACKAGE}>SignatureLayer",
}
STAND_IN = {"module": "keras.layers", "class_name": "Identity", "registered_name": None}
"""What Keras finds in the carrier's place."""

CARRIED = ("signature", "outputs", "making")
"""The members of the carrier's configuration that are its own."""


def take_signature_out(content: bytes) -> bytes:
    """Return the content of a `.keras` file with the signature in a member of its own."""
    stream = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(content)) as source, zipfile.ZipFile(stream, "w") as target:
        for info in source.infolist():
            if info.filename != CONFIGURATION:
                target.writestr(info, source.read(info))
                continue
            configuration = json.loads(source.read(info))
            carried = _exchange_carrier(configuration["config"]["layers"])
            for name, value in ((CONFIGURATION, configuration), (SIGNATURE, carried)):
                target.writestr(zipfile.ZipInfo(name), json.dumps(value), zipfile.ZIP_DEFLATED)
    return stream.getvalue()


def _exchange_carrier(layers: list[dict[str, Any]]) -> dict[str, Any]:
    """Put Keras' layer in the carrier's place; return what the carrier has, and its name."""
    number = next(n for n, layer in enumerate(layers) if layer["class_name"] == CARRIER["class_name"])
    layer = layers[number]
    own = {key: layer["config"][key] for key in CARRIED}
    config = {key: value for key, value in layer["config"].items() if key not in CARRIED}
    layers[number] = {**layer, **STAND_IN, "config": config}
    return {"layer": layer["name"], **own}


def put_signature_back(layers: list[dict[str, Any]], content: bytes, where: str) -> None:
    """Put the carrier of the member's signature in the place of the layer that the member names.

    Raises ArtifactError if it holds no signature, or names no such layer.
    """
    try:
        carried = json.loads(content)
        name, own = carried["layer"], {key: carried[key] for key in CARRIED}
    except (KeyError, TypeError, ValueError, RecursionError) as error:
        raise ArtifactError(
            f"{where}: {SIGNATURE} holds no signature ({type(error).__name__}: {error})"
        ) from error
    for layer in layers:
        if layer["name"] == name and layer["class_name"] == STAND_IN["class_name"]:
            layer.update(CARRIER)
            layer["config"].update(own)
            return
    raise ArtifactError(
        f"{where}: {SIGNATURE} is of a layer {str(name)[:40]!r}, which the model does not have"
    )


def require_carried(config: Mapping[str, Any], where: str) -> None:
    """Raise ArtifactError if a carrier's configuration holds no signature, or not how its model was made."""
    try:
        Signature.from_json(json.loads(config["signature"]))
        outputs, making = config["outputs"], Making(**config["making"])
        if not (isinstance(outputs, list) and outputs and all(isinstance(name, str) for name in outputs)):
            raise TypeError(f"the outputs are {outputs!r:.40}")
        if not (type(making.level) is int and type(making.share_weights) is type(making.stock) is bool):
            raise TypeError(f"it was made as {making!r:.80}")
    except (KeyError, TypeError, ValueError, RecursionError, ArtifactError) as error:
        raise ArtifactError(
            f"{where} has no signature of sensenet ({type(error).__name__}: {error})"
        ) from error
