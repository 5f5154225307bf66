"""Saves, logs and loads models in MLflow's format: a flavor `sensenet`, and a pyfunc with a signature.

Imports MLflow (the extra `mlflow`) when a function is called. `docs/mlflow.md` shows what the pyfunc returns.
"""

from __future__ import annotations

import importlib.metadata
import os
import tempfile
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from sensenet.artifact import Artifact
from sensenet.backends import get_target
from sensenet.backends.interpreter import numpy
from sensenet.compiler.driver import compile
from sensenet.distribution import DISTRIBUTION, read_version
from sensenet.errors import ArtifactError, InputTypeError, MissingPackageError
from sensenet.foreign_errors import first_line
from sensenet.models.create import create_model
from sensenet.models.deepnet import Deepnet, ObjectDetector
from sensenet.models.labels import PROBABILITY, Labels, read_labels
from sensenet.models.model import Model
from sensenet.models.saved import save_opened
from sensenet.optional_packages import import_package
from sensenet.records import frozen
from sensenet.signature import ModelKind, Signature

FLAVOR = "sensenet"

EXTRA = "mlflow"

TARGET = numpy.TARGET.name
"""The target that a model is saved for; an artifact keeps its own."""

POSITIVE_CLASS, THRESHOLD = "positive_class", "threshold"
"""The parameters of a classifier: its operating point, if the class is not empty."""

NUMERIC, IMAGE = "numeric", "image"


def save_model(model: Model | Artifact, path: str | os.PathLike[str], **options: Any) -> None:
    """Write a model as a directory that MLflow loads, serves and runs in Spark.

    A model is saved for the target numpy; an artifact, and a model that was opened from one, for its own.
    `options` are those of `mlflow.pyfunc.save_model`, such as `signature`, `input_example`, `metadata`,
    `pip_requirements` and `code_paths`; without the last two, the directory has the code of this package, and
    requires what that needs.

    Raises MissingPackageError without MLflow, ArtifactError if the path exists, or if the file that a model
    was opened from has changed.
    """
    mlflow = _import_mlflow("mlflow.models")
    source = _as_source(model)
    if Path(path).exists():
        raise ArtifactError(f"{path} exists already: choose another path")
    made = options.pop("mlflow_model", None) or mlflow.Model()
    file = f"model{get_target(source.target).suffix}"
    made.add_flavor(FLAVOR, data=f"data/{file}", target=source.target, version=read_version())
    options.setdefault("signature", make_signature(source.signature))
    if options.get("pip_requirements") is None and options.get("code_paths") is None:
        options["pip_requirements"] = list_requirements(source.target)
        options["code_paths"] = [os.path.dirname(__file__)]
    with tempfile.TemporaryDirectory() as folder:
        source.save(Path(folder, file))
        _import_mlflow("mlflow.pyfunc").save_model(
            path=os.fspath(path),
            loader_module=__name__,
            data_path=os.path.join(folder, file),
            mlflow_model=made,
            **options,
        )


def log_model(model: Model | Artifact, name: str, **options: Any) -> Any:
    """Log a model to the current run, and return its `mlflow.models.model.ModelInfo`.

    `options` are those of `save_model` and of `mlflow.models.Model.log`, such as `registered_model_name`.
    Raises what `save_model` raises.
    """
    import sys

    made = _import_mlflow("mlflow.models").Model
    return made.log(artifact_path=None, name=name, flavor=sys.modules[__name__], model=model, **options)


def load_model(model_uri: str, dst_path: str | None = None) -> Deepnet | ObjectDetector:
    """Return the model at a path or URI of MLflow, as `create_model` does; `dst_path` is where it is copied.

    Raises ArtifactError if there is none, or for a model of another flavor.
    """
    artifacts, models = _import_mlflow("mlflow.artifacts"), _import_mlflow("mlflow.models")
    try:
        local = artifacts.download_artifacts(artifact_uri=os.fspath(model_uri), dst_path=dst_path)
        flavors = models.Model.load(local).flavors
    except Exception as error:  # each kind of store fails in its own way
        raise ArtifactError(f"found no model of MLflow at {model_uri}: {first_line(error)}") from error
    if FLAVOR not in flavors:
        raise ArtifactError(f"{model_uri} is not a model of sensenet: its flavors are {', '.join(flavors)}")
    return create_model(Path(local, flavors[FLAVOR]["data"]))


def make_signature(signature: Signature) -> Any:
    """Return the `mlflow.models.ModelSignature` of a model: its fields, all optional, answers and parameters.

    There are no inputs if the model's fields are unknown.
    """
    types = _import_mlflow("mlflow.types")
    schema = _import_mlflow("mlflow.types.schema")
    inputs = [
        schema.ColSpec(_input_type(field.cell_type, field.optype, types, schema), name, required=False)
        for field, name in zip(signature.fields, signature.field_keys, strict=True)
    ]
    outputs = [schema.ColSpec(kind, name) for name, kind in _output_types(signature, types, schema).items()]
    parameters = [
        schema.ParamSpec(POSITIVE_CLASS, types.DataType.string, ""),
        schema.ParamSpec(THRESHOLD, types.DataType.double, 0.5),
    ]
    classifies = signature.kind is ModelKind.DEEPNET and bool(signature.classes)
    return _import_mlflow("mlflow.models").ModelSignature(
        inputs=schema.Schema(inputs) if inputs else None,
        outputs=schema.Schema(outputs),
        params=schema.ParamSchema(parameters) if classifies else None,
    )


def _input_type(cell_type: str, optype: str, types: Any, schema: Any) -> Any:
    if optype == IMAGE:
        return schema.AnyType()  # a path, or the bytes of a file
    return types.DataType.double if optype == NUMERIC and cell_type == NUMERIC else types.DataType.string


def _output_types(signature: Signature, types: Any, schema: Any) -> Mapping[str, Any]:
    text, number = types.DataType.string, types.DataType.double
    if signature.kind is ModelKind.EXTRACTOR:
        return {"features": schema.Array(number)}
    if signature.kind is ModelKind.DETECTOR:
        members = {"box": schema.Array(types.DataType.long), "label": text, "score": number}
        found = schema.Object([schema.Property(name, kind) for name, kind in members.items()])
        return {"prediction": schema.Array(found)}
    if not signature.classes:
        return {"prediction": number}
    return {"prediction": text, "probability": number, "probabilities": schema.Array(number)}


@frozen(kw_only=True, eq=False)
class PyFunc:
    """What `mlflow.pyfunc` calls."""

    model: Deepnet | ObjectDetector
    labels: Labels

    def predict(self, model_input: Any, params: Mapping[str, Any] | None = None) -> Any:
        """Return a data frame of pandas with the outputs of the signature, for rows of any form."""
        pandas = import_package("pandas", EXTRA, "answering through MLflow")
        index = model_input.index if isinstance(model_input, pandas.DataFrame) else None
        return pandas.DataFrame(self._answer(model_input, params or {}), index=index)

    def _answer(self, x: Any, params: Mapping[str, Any]) -> dict[str, Any]:
        if isinstance(self.model, ObjectDetector):
            return {"prediction": self.model.answer_table(x)}
        answers = self.model(x)
        if self.model.signature.kind is ModelKind.EXTRACTOR:
            return {"features": [row.ravel().astype(float).tolist() for row in answers]}
        if not self.model.classes:
            return {"prediction": answers[:, 0].astype(float)}
        positive, threshold = params.get(POSITIVE_CLASS), params.get(THRESHOLD, 0.5)
        point = {"kind": PROBABILITY, POSITIVE_CLASS: positive, THRESHOLD: threshold} if positive else None
        probabilities = self.labels.sort(answers)
        positions = self.labels.choose(probabilities, point, None)
        return {
            "prediction": self.labels.classes[positions],
            "probability": probabilities[range(len(positions)), positions].astype(float),
            "probabilities": probabilities.astype(float).tolist(),
        }


def _load_pyfunc(path: str) -> PyFunc:
    """Return the pyfunc of saved data: the entry point of MLflow."""
    model = create_model(Path(path))
    return PyFunc(model=model, labels=read_labels(model.signature))


def list_requirements(target: str) -> list[str]:
    """Return the packages that this one needs for a target, if an extra has its name, as installed."""
    purpose = "saving a model for MLflow"
    requirements = import_package("packaging.requirements", EXTRA, purpose)
    try:
        texts = importlib.metadata.requires(DISTRIBUTION) or ()
    except importlib.metadata.PackageNotFoundError as error:  # a source tree that is not installed
        raise MissingPackageError(DISTRIBUTION, EXTRA, purpose) from error
    needed = map(requirements.Requirement, texts)
    return sorted({_pin(each) for each in needed if _is_needed(each, target)})


def _is_needed(requirement: Any, target: str) -> bool:
    marker = requirement.marker
    return marker is None or any(marker.evaluate({"extra": extra}) for extra in ("", target))


def _pin(requirement: Any) -> str:
    """Return a requirement of the installed version; as it is if the package is not installed."""
    try:
        return f"{requirement.name}=={importlib.metadata.version(requirement.name)}"
    except importlib.metadata.PackageNotFoundError:
        return f"{requirement.name}{requirement.specifier}"


@frozen
class Source:
    """What is saved: its target, its signature, and a function that writes it to a path."""

    target: str
    signature: Signature
    save: Callable[[Path], object]


def _as_source(model: Model | Artifact) -> Source:
    """Return what is saved of a model or an artifact; raise InputTypeError for another object."""
    if isinstance(model, Artifact):
        if model.separate_files:  # of which MLflow takes one
            model = compile(model.graph, TARGET)
        return Source(model.target, model.graph.signature, model.save)
    if not isinstance(model, Model):
        raise InputTypeError(
            f"expected a model or an artifact, found {type(model).__name__}: call sensenet.create_model first"
        )
    executable, engine = model._executable, model.engine or TARGET
    if executable.as_imported:
        return _as_source(compile(model._trained_graph(), TARGET))
    if executable.graph is not None and get_target(engine).execute is not None:
        return _as_source(compile(executable.graph, TARGET))
    return Source(engine, model.signature, partial(save_opened, executable))


def _import_mlflow(module: str) -> Any:
    return import_package(module, EXTRA, "saving and loading models in MLflow's format")
