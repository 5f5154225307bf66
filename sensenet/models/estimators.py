"""What scikit-learn asks of estimators, in its own types."""

from __future__ import annotations

from typing import Any

from sensenet.optional_packages import import_package
from sensenet.signature import ModelKind, Signature


def import_sklearn(module: str) -> Any:
    """Return a module of scikit-learn; raise MissingPackageError, which names the extra that brings it."""
    return import_package(module, "sklearn", "scoring a model")


def make_tags(signature: Signature) -> Any:
    """Return the `sklearn.utils.Tags` of a model: a fitted classifier or regressor that takes any cells."""
    utils = import_sklearn("sklearn.utils")
    predicts = signature.kind is ModelKind.DEEPNET
    classifies = predicts and bool(signature.classes)
    kind = "classifier" if classifies else "regressor"
    return utils.Tags(
        estimator_type=kind if predicts else None,
        target_tags=utils.TargetTags(required=False),
        classifier_tags=utils.ClassifierTags() if classifies else None,
        regressor_tags=utils.RegressorTags() if predicts and not classifies else None,
        input_tags=utils.InputTags(
            one_d_array=True, categorical=True, string=True, dict=True, allow_nan=True
        ),
        requires_fit=False,
    )
