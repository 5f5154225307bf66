"""The declarations of a model that do not depend on what runs it: its classes, fields and encoder."""

from __future__ import annotations

from collections.abc import Iterator

from sensenet.backends.c_code.literals import characters, initializer, is_long, quote
from sensenet.backends.c_code.rows import Rows, Spell
from sensenet.signature import Signature


def write_declarations(signature: Signature, prefix: str, *, encodes: bool) -> Iterator[str]:
    """Yield the labels and, if it `encodes` rows, the encoder; names begin with `prefix`.

    Texts too long for a literal are arrays before them.
    """
    long: dict[str, str] = {}

    def spell(text: str) -> str:
        return long.setdefault(text, f"{prefix}_text_{len(long)}") if is_long(text) else quote(text)

    declarations = [*_labels(signature, prefix, spell)]
    if encodes:
        declarations += Rows(signature, prefix, spell).write()
    for text, name in long.items():
        yield f"static const char {name}[] = {characters(text)};"
    yield from declarations


def _labels(signature: Signature, prefix: str, spell: Spell) -> Iterator[str]:
    if signature.classes:
        yield "/* The classes, in the order of the outputs, which are their probabilities. */"
        yield f"#define {prefix.upper()}_LABELS {len(signature.classes)}"
        yield f"static const char *const {prefix}_labels[] = {initializer(map(spell, signature.classes))};\n"
