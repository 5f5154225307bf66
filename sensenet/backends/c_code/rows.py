"""The encoder of rows in C: a struct with a member for each field, and the function that reads it.

| field | member | missing |
|---|---|---|
| number | float | NAN |
| category | const char * | NULL, or a missing token of the document |
| text or items | float, or float[n]: how often each term occurs | – |

A member counts as the same value given by field name to a model: a missing number is replaced, or flagged, as
the field says, and a category that is unknown has the code -1. Firmware reads no texts of numbers, dates or
terms: it has their numbers.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

import attrs

from sensenet.backends.c_code.literals import comment_on, initializer, member_name, number
from sensenet.backends.field_inputs import UNKNOWN, FieldInput, category_codes, find_field_inputs
from sensenet.backends.input_names import input_names
from sensenet.records import frozen
from sensenet.signature import CategoricalColumn, Column, ImageColumn, Items, NumericColumn, Signature, Terms

NUMBER_HELPERS = """\
static inline int {prefix}_is_missing(float number) {{
  uint32_t bits; /* -ffast-math may not compare with NAN */
  memcpy(&bits, &number, sizeof bits);
  return (bits & 0x7fffffffu) > 0x7f800000u;
}}

static inline float {prefix}_number(float number, float missing) {{
  return {prefix}_is_missing(number) ? missing : number;
}}
"""

CATEGORY_HELPERS = """\
typedef struct {{
  const char *text;
  float code;
}} {prefix}_code;

static inline float {prefix}_category(const char *text, const {prefix}_code *codes, size_t count) {{
  size_t i;
  for (i = 0; i < count; ++i) {{
    if (strcmp(text, codes[i].text) == 0) return codes[i].code;
  }}
  return {unknown};
}}
"""

TOKEN_HELPERS = """\
static inline int {prefix}_is_missing_text(const char *text) {{
  size_t i;
  if (text == NULL) return 1;
  for (i = 0; i < sizeof {prefix}_missing_tokens / sizeof *{prefix}_missing_tokens; ++i) {{
    if (strcmp(text, {prefix}_missing_tokens[i]) == 0) return 1;
  }}
  return 0;
}}
"""

Spell = Callable[[str], str]
"""Returns the expression of a text: a literal, or the name of an array."""


@frozen
class Rows:
    """The code for the rows of a model: all its names begin with `prefix`."""

    signature: Signature
    prefix: str
    spell: Spell

    def write(self) -> Iterator[str]:
        """Yield the declarations, in order."""
        members = find_members(self.signature)
        yield self._struct(members)
        yield from self._names(members)
        yield from self._helpers()
        owners = {column: member for member in members for column in member.columns}
        for position, column in enumerate(self.signature.columns):
            if isinstance(column, CategoricalColumn):
                yield from self._table(position, self._codes(owners[column], column))
        numbers = [
            self._expression(position, column, owners.get(column))
            for position, column in enumerate(self.signature.columns)
        ]
        yield self._function(numbers)

    def _struct(self, members: Sequence[FieldInput]) -> str:
        lines = [f"  {_declare(member)} /* {_describe(member)} */" for member in members]
        return "\n".join(
            ["/* A row, as the network reads it. */", "typedef struct {", *lines, self._end("row")]
        )

    def _end(self, name: str) -> str:
        return f"}} {self.prefix}_{name};\n"

    def _names(self, members: Sequence[FieldInput]) -> Iterator[str]:
        """Yield the names of the fields, and of the terms that are counted."""
        labels = [member.field.name if member.field else "" for member in members]
        yield "/* The names of the fields in the document, in the order of the members. */"
        yield self._texts(f"{self.prefix}_fields", labels)
        for member in members:
            if member.field and _is_counted(member):
                yield self._texts(f"{self.prefix}_cells_of_{member.name}", member.field.cell_names)

    def _texts(self, name: str, texts: Iterable[str]) -> str:
        return f"static const char *const {name}[] = {initializer(map(self.spell, texts))};\n"

    def _helpers(self) -> Iterator[str]:
        kinds = {type(column) for column in self.signature.columns}
        if NumericColumn in kinds:
            yield NUMBER_HELPERS.format(prefix=self.prefix)
        if CategoricalColumn in kinds:
            yield CATEGORY_HELPERS.format(prefix=self.prefix, unknown=number(UNKNOWN))
            if self._tokens:
                yield self._texts(f"{self.prefix}_missing_tokens", self._tokens)
                yield TOKEN_HELPERS.format(prefix=self.prefix)

    @property
    def _tokens(self) -> list[str]:
        return [*filter(_is_expressible, self.signature.missing_tokens)]

    def _codes(self, member: FieldInput, column: CategoricalColumn) -> dict[str, int]:
        """Return the codes of texts other than the missing tokens, which all categories share."""
        without_tokens = attrs.evolve(self.signature, missing_tokens=())
        codes = category_codes(without_tokens, member.field, column)
        return {text: code for text, code in codes.items() if _is_expressible(text)}

    def _table(self, position: int, codes: Mapping[str, int]) -> Iterator[str]:
        if codes:
            entries = (f"{{{self.spell(text)}, {number(code)}}}" for text, code in codes.items())
            name = f"{self.prefix}_codes_{position}"
            yield f"static const {self.prefix}_code {name}[] = {initializer(entries)};\n"

    def _expression(self, position: int, column: Column, member: FieldInput | None) -> str:
        """Return the number of a column, which is 0 if it is an image."""
        if member is None:
            return number(0)
        value = f"row->{member.name}"
        if isinstance(column, CategoricalColumn):
            return self._category(position, column, member, value)
        cell = column.index % self.signature.row_width - member.cell
        if _is_array(member):
            value += f"[{cell}]"
        encoding, missing = member.number, column.missing if isinstance(column, NumericColumn) else 0.0
        if encoding is None:
            return self._or_else(value, missing)
        if encoding.default is not None:
            return number(0) if cell else self._or_else(value, encoding.default)
        if not encoding.flags_missing:
            return self._or_else(value, missing)
        flag = f"{self.prefix}_is_missing({value}) ? {number(1)} : {number(0)}"
        return flag if cell else self._or_else(value, 0.0)

    def _or_else(self, value: str, missing: float) -> str:
        return f"{self.prefix}_number({value}, {number(missing)})"

    def _category(self, position: int, column: CategoricalColumn, member: FieldInput, value: str) -> str:
        named = member.field is not None and self._tokens
        test = f"{self.prefix}_is_missing_text({value})" if named else f"{value} == NULL"
        missing = number(column.codes.get(str(None), UNKNOWN))
        if not self._codes(member, column):
            return f"{test} ? {missing} : {number(UNKNOWN)}"
        table = f"{self.prefix}_codes_{position}"
        found = f"{self.prefix}_category({value}, {table}, sizeof {table} / sizeof *{table})"
        return f"{test} ? {missing} : {found}"

    def _function(self, numbers: Iterable[str]) -> str:
        head = f"static inline void {self.prefix}_encode(const {self.prefix}_row *row, float *inputs) {{"
        lines = [f"  inputs[{position}] = {each};" for position, each in enumerate(numbers)]
        comment = "/* Writes the numbers that the network reads of a row. */"
        return "\n".join([comment, head, *lines, "}\n"])


def find_members(signature: Signature) -> tuple[FieldInput, ...]:
    """Return the members of the struct of a row, in order; images are not among them."""

    def name_members(labels: Iterable[tuple[str, int]]) -> Iterator[str]:
        return input_names(((member_name(label), cell) for label, cell in labels), unusable=())

    inputs = find_field_inputs(signature, name_members)
    return tuple(each for each in inputs if not isinstance(each.columns[0], ImageColumn))


def _is_expressible(text: str) -> bool:
    """Return whether a string of C can have the text."""
    return "\0" not in text


def _is_counted(member: FieldInput) -> bool:
    """Return whether a member has the counts of terms."""
    return member.field is not None and isinstance(member.field.encoding, Terms | Items)


def _is_array(member: FieldInput) -> bool:
    return _is_counted(member) and member.width > 1


def _declare(member: FieldInput) -> str:
    if isinstance(member.columns[0], CategoricalColumn):
        return f"const char *{member.name};"
    return f"float {member.name}[{member.width}];" if _is_array(member) else f"float {member.name};"


def _describe(member: FieldInput) -> str:
    label = comment_on(member.field.name) if member.field else f"column {member.cell}"
    if isinstance(member.columns[0], CategoricalColumn):
        return f"{label}: a category; NULL if missing"
    return f"{label}: how often each term occurs" if _is_counted(member) else f"{label}; NAN if missing"
