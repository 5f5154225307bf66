"""Damage of bytes, text and JSON values, which the formats share."""

from __future__ import annotations

import copy
import re
from collections.abc import Sequence
from random import Random
from typing import Any

INTERESTING_BYTES = (0, 1, 0x7F, 0x80, 0xFF, *b'[]{}()",:0-9e.nN \\')

NUMBERS = (
    *("0", "1", "-1", "2", "3", "7", "64", "255", "256", "65536", "100000", "16777216", "268435456"),
    *("2147483647", "2147483648", "4294967296", "9223372036854775807", "-9223372036854775808"),
    *("1e30", "-1e30", "1e-45", "1e39", "1e308", "1e400"),
    *("nan", "inf", "-inf", "0.5", "1.5", "1" + "0" * 400),
)

JUNK: tuple[Any, ...] = (
    *(None, True, False, 0, -1, 1, 3, 2.5, 1e39, 1e308, -1e-320, 1e-45, 10**30, 10**6),
    *(2**28, 2**31 - 1, 2**31),
    *("", "relu", "glorot_uniform", "ones", "zeros", "dense", "\ud800", "yolo", "warp", "x" * 5000),
    *("numeric", "categorical", "image", "deepnet", "detector", "extractor", "nan", "Infinity", "ä\0"),
    *([], {}, [[]], [0], [1, 2], [[1, 2], [3]], [[1, 2], [3, [4]]], [[0.5], None], {"type": "dense"}),
)
"""Values of every JSON type, most of them wrong wherever they stand."""


def mutate_bytes(content: bytes, random: Random) -> bytes:
    """One to four bytes changed, or a part cut out, doubled, moved or cut off."""
    if not content:
        return bytes(random.randrange(256) for _ in range(random.randrange(8)))
    changed = bytearray(content)
    for _ in range(random.randint(1, 4)):
        at = random.randrange(len(changed) + 1)
        length = random.choice((1, 2, 4, 8, 64, 1000))
        match random.randrange(8):
            case 0:
                del changed[at:]
            case 1:
                del changed[at : at + length]
            case 2:
                changed[at:at] = changed[at : at + length]
            case 3:
                other = random.randrange(len(changed) + 1)
                changed[at : at + length] = changed[other : other + length]
            case 4:
                changed[at : at + 1] = bytes([random.randrange(256)])
            case 5 if at < len(changed):
                changed[at] ^= 1 << random.randrange(8)
            case _:
                changed[at : at + 1] = bytes([random.choice(INTERESTING_BYTES)])
        if not changed:
            break
    return bytes(changed)


def mutate_text(text: str, random: Random) -> str:
    """Lines doubled, deleted or swapped; numbers and words replaced by others."""
    lines = text.split("\n")
    at = random.randrange(len(lines))
    match random.randrange(8):
        case 0:
            del lines[at]
        case 1:
            lines.insert(at, random.choice(lines))
        case 2:
            other = random.randrange(len(lines))
            lines[at], lines[other] = lines[other], lines[at]
        case 3 | 4:
            words = re.findall(r"[A-Za-z_]\w*", text)
            lines[at] = replace_match(r"[A-Za-z_]\w*", lines[at], random, words)
        case 5:
            lines[at] = mutate_bytes(lines[at].encode(), random).decode("utf-8", "replace")
        case _:
            lines[at] = replace_match(r"(?<![\w#])-?\d[\w.]*", lines[at], random, NUMBERS)
    return "\n".join(lines)


def replace_match(pattern: str, line: str, random: Random, replacements: Sequence[str]) -> str:
    """The text with one match of a pattern replaced by one of these."""
    matches = list(re.finditer(pattern, line))
    if not matches or not replacements:
        return line
    match = random.choice(matches)
    return line[: match.start()] + random.choice(replacements) + line[match.end() :]


def places(value: Any) -> list[tuple[Any, Any]]:
    """Every (container, key) of a JSON value."""
    found, pending = [], [value]
    while pending:
        container = pending.pop()
        for key in list(container) if isinstance(container, dict) else range(len(container)):
            found.append((container, key))
            if isinstance(container[key], dict | list):
                pending.append(container[key])
    return found


def structural(value: Any) -> list[tuple[Any, Any]]:
    """Those that are no single weight: most damage should not be to one number among hundreds."""
    return [
        (container, key)
        for container, key in places(value)
        if not isinstance(container, list) or not isinstance(container[key], float)
    ]


def mutate_json(value: Any, random: Random) -> Any:
    """A copy of a JSON value with one to three changes."""
    value = copy.deepcopy(value)
    for _ in range(random.randint(1, 3)):
        where = random.choice((places, structural, structural))(value)
        if not where:
            break
        container, key = random.choice(where)
        match random.randrange(7):
            case 0:
                del container[key]
            case 1 if isinstance(container, list):
                container.insert(key, copy.deepcopy(container[key]))
            case 2:
                container[key] = [container[key]]
            case 3:
                other, other_key = random.choice(where)
                container[key] = copy.deepcopy(other[other_key])
            case 4 if isinstance(container[key], list) and container[key]:
                container[key] = container[key] * random.choice((2, 3, 50))
            case _:
                container[key] = copy.deepcopy(random.choice(JUNK))
    return value
