"""The target ir: a graph's text with its weights beside it."""

from __future__ import annotations

from pathlib import Path
from random import Random

from fuzz.calling import open_and_call
from fuzz.formats import Case
from fuzz.graphs import mutate_graph, seed_graphs
from fuzz.mutators import mutate_bytes
from fuzz.npz import read_arrays
from sensenet.backends.formats.npz import write_npz

TEXT, WEIGHTS = "case.ir", "case.npz"


def seeds() -> list[Case]:
    return [{TEXT: text.encode(), WEIGHTS: write_npz(arrays)} for text, arrays in seed_graphs()]


def mutate(case: Case, random: Random) -> Case:
    text, arrays = case[TEXT].decode(), read_arrays(case[WEIGHTS])
    for _ in range(random.randint(1, 3)):
        text, arrays = mutate_graph(text, arrays, random)
    encoded = text.encode("utf-8", "replace")
    if not random.randrange(4):
        encoded = mutate_bytes(encoded, random)
    return {TEXT: encoded, WEIGHTS: write_npz(arrays)}


def open(folder: Path) -> None:
    open_and_call(folder / TEXT)
