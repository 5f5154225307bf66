"""Predicts the rows of a request, and makes tensors of the answers: see `sensenet.serve.interface`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from sensenet.backends.onnx.names import LABEL, LABELS, PROBABILITIES
from sensenet.ir.types import Array
from sensenet.models.deepnet import Deepnet, ObjectDetector
from sensenet.runtime.detections import NUMBER_OF_VALID
from sensenet.serve.tensors import Tensor, make_tensor
from sensenet.signature import BOXES, CLASSES, PREDICTIONS, SCORES, VALID, ModelKind, Signature

Answers = Array | Sequence[Any]
"""What a model answers: f32[rows, …], or for each image of a detector the objects or their arrays."""


def predict(model: Deepnet | ObjectDetector, rows: Array) -> Answers:
    """Return a model's answers for the rows of `Interface.read_rows`; raises what a call of it raises."""
    return model.answer_table(rows)


def join_answers(parts: Sequence[Answers]) -> Answers:
    """Return the answers for all rows, of those for parts of them."""
    if len(parts) == 1:
        return parts[0]
    if isinstance(parts[0], np.ndarray):
        return np.concatenate(parts)
    return [answer for part in parts for answer in part]


def answer_tensors(signature: Signature, answers: Answers) -> list[Tensor]:
    """Return the tensors of answers, in the order in which the model's metadata has them."""
    if signature.kind is ModelKind.DETECTOR:
        return _object_tensors(signature.classes, [_as_arrays(each, signature.classes) for each in answers])
    numbers = np.asarray(answers)
    if signature.kind is ModelKind.DEEPNET and signature.classes:
        best = [
            signature.classes[position] if known else ""
            for position, known in zip(numbers.argmax(axis=1), ~np.isnan(numbers).any(axis=1), strict=True)
        ]
        return [make_tensor(PROBABILITIES, numbers), make_tensor(LABEL, np.array(best, object))]
    return [make_tensor(PREDICTIONS, numbers)]


def _as_arrays(answer: Any, classes: Sequence[str]) -> Mapping[str, Array]:
    """Return the boxes, scores and positions of classes in an image."""
    if isinstance(answer, dict):
        valid = answer.get(NUMBER_OF_VALID, len(answer[SCORES][0]))
        return {name: answer[name][0][:valid] for name in (BOXES, SCORES, CLASSES)}
    return {
        BOXES: np.array([each["box"] for each in answer], np.float32).reshape(-1, 4),
        SCORES: np.array([each["score"] for each in answer], np.float32),
        CLASSES: np.array([classes.index(each["label"]) for each in answer], np.int32),
    }


def _object_tensors(classes: Sequence[str], images: Sequence[Mapping[str, Array]]) -> list[Tensor]:
    """Return the tensors of all images, filled with zeros up to the most objects in one."""
    counts = [len(image[SCORES]) for image in images]
    most = max(counts)
    boxes = np.zeros((len(images), most, 4), np.float32)
    scores = np.zeros((len(images), most), np.float32)
    numbers = np.zeros((len(images), most), np.int32)
    labels = np.full((len(images), most), "", object)
    for row, (image, count) in enumerate(zip(images, counts, strict=True)):
        boxes[row, :count] = image[BOXES]
        scores[row, :count] = image[SCORES]
        numbers[row, :count] = image[CLASSES]
        labels[row, :count] = [classes[number] for number in image[CLASSES]]
    return [
        make_tensor(BOXES, boxes),
        make_tensor(SCORES, scores),
        make_tensor(CLASSES, numbers),
        make_tensor(LABELS, labels),
        make_tensor(VALID, np.array(counts, np.int32)),
    ]
