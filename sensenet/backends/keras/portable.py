"""Replaces sensenet's SignatureLayer in saved files, so that Keras can open them without sensenet.

In memory, the SignatureLayer contains the signature, and `model.save` saves it unchanged. A file written by
an artifact has Keras' Identity of the same name instead, and the layer's data in the metadata, which Keras
does not read. If the file had one more member, Keras would unpack it all while it reads the weights from it,
and Python 3.12.1 then reads them from wrong positions.
"""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Mapping
from typing import Any

from sensenet.backends.keras.layers import LAYER_MODULE, PACKAGE
from sensenet.backends.keras.model import BuildOptions
from sensenet.backends.keras.names import CONFIGURATION, METADATA, SIGNATURE
from sensenet.errors import ArtifactError
from sensenet.signature import Signature

CARRIER = {
    "module": LAYER_MODULE,
    "class_name": "SignatureLayer",
    "registered_name": f"{PACKAGE}>SignatureLayer",
}
STAND_IN = {"module": "keras.layers", "class_name": "Identity", "registered_name": None}
"""The Keras layer that replaces the SignatureLayer."""

CARRIED = ("signature", "outputs", "making")
"""The members of a SignatureLayer's configuration that other layers do not have."""


def take_signature_out(content: bytes) -> bytes:
    """Return the content of a `.keras` file with the signature in its metadata."""
    stream = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(content)) as source, zipfile.ZipFile(stream, "w") as target:
        configuration, metadata = (json.loads(source.read(name)) for name in (CONFIGURATION, METADATA))
        metadata[SIGNATURE] = _exchange_carrier(configuration["config"]["layers"])
        changed = {CONFIGURATION: configuration, METADATA: metadata}
        for info in source.infolist():
            if info.filename in changed:
                text = json.dumps(changed[info.filename])
                target.writestr(zipfile.ZipInfo(info.filename), text, zipfile.ZIP_DEFLATED)
            else:
                target.writestr(info, source.read(info))
    return stream.getvalue()


def _exchange_carrier(layers: list[dict[str, Any]]) -> dict[str, Any]:
    """Replace the SignatureLayer by Keras' layer; return its data and its name."""
    number = next(n for n, layer in enumerate(layers) if layer["class_name"] == CARRIER["class_name"])
    layer = layers[number]
    own = {key: layer["config"][key] for key in CARRIED}
    config = {key: value for key, value in layer["config"].items() if key not in CARRIED}
    layers[number] = {**layer, **STAND_IN, "config": config}
    return {"layer": layer["name"], **own}


def put_signature_back(layers: list[dict[str, Any]], carried: Any, where: str) -> None:
    """Replace the Keras layer that `carried` names by a SignatureLayer with its data.

    Raises ArtifactError if it is not what `take_signature_out` wrote, or names an unknown layer.
    """
    source = f"{where}: {SIGNATURE!r} in {METADATA}"
    try:
        name, own = carried["layer"], {key: carried[key] for key in CARRIED}
    except (KeyError, TypeError) as error:
        raise ArtifactError(f"{source} is not a signature ({type(error).__name__}: {error})") from error
    for layer in layers:
        if layer["name"] == name and layer["class_name"] == STAND_IN["class_name"]:
            layer.update(CARRIER)
            layer["config"].update(own)
            return
    raise ArtifactError(f"{source} names a layer {str(name)[:40]!r}, which the model does not have")


def require_carried(config: Mapping[str, Any], where: str) -> None:
    """Raise ArtifactError unless a SignatureLayer's configuration has a signature and BuildOptions."""
    try:
        Signature.from_json(json.loads(config["signature"]))
        outputs, making = config["outputs"], BuildOptions(**config["making"])
        if not (isinstance(outputs, list) and outputs and all(isinstance(name, str) for name in outputs)):
            raise TypeError(f"the outputs are {outputs!r:.40}")
        if not (type(making.level) is int and type(making.share_weights) is type(making.stock) is bool):
            raise TypeError(f"the member 'making' is {making!r:.80}")
    except (KeyError, TypeError, ValueError, RecursionError, ArtifactError) as error:
        raise ArtifactError(
            f"{where} has no signature of sensenet ({type(error).__name__}: {error})"
        ) from error
