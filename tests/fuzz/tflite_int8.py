"""The target tflite with int8 and int8x16: files whose kernels take scales."""

from __future__ import annotations

from fuzz import tflite
from fuzz.formats import Case
from fuzz.tflite import mutate, open

__all__ = ["mutate", "open", "seeds"]


def seeds() -> list[Case]:
    return tflite.seeds(("int8", "int8x16"))
