"""The formats that are fuzzed: one literal table.

A format is a module of this package with three functions:

- `seeds() -> list[Case]`: small sound files, made anew, the same at each call;
- `mutate(case, random) -> Case`: a damaged copy, which depends on nothing else than its arguments;
- `open(folder)`: open the files of a case, which lie in that folder, and call the model.

`open` may return or raise a SensenetError. Anything else is a finding: see `fuzz.runner`.
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from pathlib import Path
from random import Random
from typing import Protocol, cast

from attrs import frozen

Case = Mapping[str, bytes]
"""The files of a case: relative path → content."""


class FormatModule(Protocol):
    """What a module of a format has."""

    def seeds(self) -> list[Case]: ...
    def mutate(self, case: Case, random: Random) -> Case: ...
    def open(self, folder: Path) -> None: ...


@frozen(kw_only=True)
class Format:
    """A line of the table.

    `cases` is the number of cases in the ordinary suite, a few seconds' worth; `packages` are those without
    which the format cannot be opened.
    """

    module: str
    cases: int
    packages: tuple[str, ...] = ()

    def load(self) -> FormatModule:
        return cast(FormatModule, importlib.import_module(self.module))


FORMATS: Mapping[str, Format] = {
    "document": Format(module="fuzz.document", cases=200),
    "ir": Format(module="fuzz.ir", cases=300),
    "npz": Format(module="fuzz.npz", cases=300),
    "images": Format(module="fuzz.images", cases=300),
    "tflite": Format(module="fuzz.tflite", cases=300, packages=("ai_edge_litert",)),
    "tflite-int8": Format(module="fuzz.tflite_int8", cases=100, packages=("ai_edge_litert",)),
    "onnx": Format(module="fuzz.onnx", cases=300, packages=("onnx", "onnxruntime")),
    "c": Format(module="fuzz.c", cases=30, packages=("ai_edge_litert",)),
    "native": Format(module="fuzz.native", cases=30, packages=("llvmlite",)),
    "wasm": Format(module="fuzz.wasm", cases=30, packages=("llvmlite",)),
    "web": Format(module="fuzz.web", cases=30, packages=("llvmlite",)),
    "keras": Format(module="fuzz.keras", cases=30, packages=("tensorflow", "h5py")),
    "h5": Format(module="fuzz.h5", cases=30, packages=("h5py",)),
    "savedmodel": Format(module="fuzz.savedmodel", cases=60, packages=("tensorflow",)),
    "smbundle": Format(module="fuzz.smbundle", cases=40, packages=("tensorflow",)),
    "tfjs": Format(module="fuzz.tfjs", cases=40, packages=("tensorflow",)),
    "tables": Format(module="fuzz.tables", cases=300, packages=("pyarrow",)),
}

FORMATS_OF_TARGETS: Mapping[str, str] = {"numpy": "npz"}
"""The formats that do not have the name of the target that writes them."""
