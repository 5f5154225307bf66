"""docs/ir.md lists every op with its attributes."""

from __future__ import annotations

import re
from pathlib import Path

import attrs

from sensenet.ir.ops.table import OP_CLASSES
from sensenet.ir.parser import parse_graph

PAGE = Path(__file__).parents[2] / "docs" / "ir.md"
ROW = re.compile(r"\| (?P<ops>`\w+`(?:, `\w+`)*) \|[^|]+\|(?P<attributes>[^|]+)\|[^|]+\|")
CODE = re.compile(r"`(\w+)`")


def test_the_table_lists_every_op_in_order():
    rows = [ROW.fullmatch(line) for line in PAGE.read_text(encoding="utf-8").splitlines()]
    documented = [
        (op, CODE.findall(row["attributes"])) for row in rows if row for op in CODE.findall(row["ops"])
    ]
    assert documented == [
        (op_class.mnemonic(), [field.name for field in attrs.fields(op_class)]) for op_class in OP_CLASSES
    ], "op, step 7: give each op a row in the table of docs/ir.md, in the order of OP_CLASSES"


def test_the_example_is_the_text_form():
    (example,) = re.findall(r"```\n(sensenet graph\n.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    lines = [line for line in example.splitlines() if not line.startswith("signature")]
    text = re.sub(r"#[0-9a-f]{16}:f32\[4,16\]", f"f32[4,16]{{{', '.join(['0'] * 64)}}}", "\n".join(lines))
    graph = parse_graph(text)
    assert [node.op.mnemonic() for node in graph.nodes] == ["input", "standardize", "dense"]
