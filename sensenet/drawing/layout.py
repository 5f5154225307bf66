"""Arranges boxes in rows with all edges downward: a layered layout after Sugiyama.

Deep networks are chains with skips. A box is one row below the lowest of its inputs; an edge that passes rows
has its own lane in each; rows are ordered so that few edges cross, and boxes are placed below their inputs.
The layout is deterministic.
"""

from __future__ import annotations

import bisect
import itertools
import math
from collections import defaultdict
from collections.abc import Iterable, Sequence

from sensenet.records import frozen

ROW_GAP = 26
SPACING = 16
LANE_WIDTH = 6
ORDERINGS = 6
PLACEMENTS = 4
MARGIN = 8

HEAVY, LIGHT = 10_000, 1
"""The weights of items in placement: lanes, and boxes without inputs, yield to the others."""

ROUNDING = 0.3
"""Added before rounding down, so that halves, the means of two neighbors, round reliably."""

Point = tuple[int, int]
Edge = tuple[int, int]


@frozen
class Layout:
    """The top left corners of the boxes, and the points of each edge from top to bottom."""

    corners: tuple[Point, ...]
    routes: tuple[tuple[Point, ...], ...]
    width: int
    height: int


@frozen
class _Grid:
    """The rows of boxes and lanes, numbered after the boxes, and the links between rows.

    `above` and `below` list the neighbors of each item; `paths` lists the items of each edge.
    """

    rows: list[list[int]]
    above: dict[int, list[int]]
    below: dict[int, list[int]]
    paths: list[list[int]]


def arrange(sizes: Sequence[tuple[int, int]], edges: Sequence[Edge]) -> Layout:
    """Return the layout of boxes of these sizes and of edges, each from a box to a later one."""
    grid = _make_grid(_rows_of(len(sizes), edges), edges)
    items = sum(map(len, grid.rows))
    widths = [width for width, _ in sizes] + [LANE_WIDTH] * (items - len(sizes))
    centers = _place(_order(grid), grid, widths, boxes=len(sizes))
    left = min((centers[i] - widths[i] / 2 for i in range(items)), default=0) - MARGIN
    middles = [math.floor(center + ROUNDING) - math.floor(left) for center in centers]
    tops, bottoms = _heights(grid.rows, sizes)
    row_of = {item: row for row, members in enumerate(grid.rows) for item in members}
    corners = tuple((middles[i] - width // 2, tops[row_of[i]]) for i, (width, _) in enumerate(sizes))

    def route(path: list[int]) -> tuple[Point, ...]:
        first, *lanes, last = path
        points = [(middles[first], corners[first][1] + sizes[first][1])]
        for lane in lanes:
            points += [(middles[lane], tops[row_of[lane]]), (middles[lane], bottoms[row_of[lane]])]
        return (*points, (middles[last], corners[last][1]))

    right = max((middles[i] + (widths[i] + 1) // 2 for i in range(items)), default=0)
    return Layout(corners, tuple(map(route, grid.paths)), right + MARGIN, max(bottoms, default=0) + MARGIN)


def _rows_of(boxes: int, edges: Sequence[Edge]) -> list[int]:
    """Return rows with each box below all its inputs, and boxes without inputs above their first reader."""
    rows = [0] * boxes
    readers = defaultdict(list)
    for source, target in sorted(edges):
        rows[target] = max(rows[target], rows[source] + 1)
        readers[source].append(target)
    roots = set(range(boxes)) - {target for _, target in edges}
    for root in roots & readers.keys():
        rows[root] = min(rows[reader] for reader in readers[root]) - 1
    return rows


def _make_grid(row_of: Sequence[int], edges: Sequence[Edge]) -> _Grid:
    rows: list[list[int]] = [[] for _ in range(max(row_of, default=-1) + 1)]
    for box, row in enumerate(row_of):
        rows[row].append(box)
    lanes: dict[tuple[int, int], int] = {}  # source, row → a lane that all edges of the source share
    paths = []
    for source, target in edges:
        path = [source]
        for row in range(row_of[source] + 1, row_of[target]):
            if (source, row) not in lanes:
                lanes[source, row] = len(row_of) + len(lanes)
                rows[row].append(lanes[source, row])
            path.append(lanes[source, row])
        paths.append([*path, target])
    links = sorted({link for path in paths for link in itertools.pairwise(path)})
    above, below = defaultdict(list), defaultdict(list)
    for upper, lower in links:
        above[lower].append(upper)
        below[upper].append(lower)
    return _Grid(rows, above, below, paths)


def _order(grid: _Grid) -> list[list[int]]:
    """Return the best order of rows found by sorting each by its neighbors, down and up in turn."""
    best = rows = grid.rows
    fewest = _count_crossings(rows, grid)
    for turn in range(ORDERINGS):
        down = turn % 2 == 0
        ordered: list[list[int]] = []
        for row in rows if down else reversed(rows):
            fixed = ordered[-1] if ordered else []
            ordered.append(_sort_row(row, fixed, grid.above if down else grid.below))
        rows = ordered if down else ordered[::-1]
        crossings = _count_crossings(rows, grid)
        if crossings < fewest:
            best, fewest = rows, crossings
    return best


def _sort_row(row: list[int], fixed: list[int], neighbors: dict[int, list[int]]) -> list[int]:
    """Return a row sorted by the mean position of neighbors; items without any stay about in place."""
    positions = {item: place / max(len(fixed), 1) for place, item in enumerate(fixed)}
    places = {item: place / len(row) for place, item in enumerate(row)}

    def mean(item: int) -> float:
        near = [positions[neighbor] for neighbor in neighbors.get(item, ()) if neighbor in positions]
        return sum(near) / len(near) if near else places[item]

    return sorted(row, key=mean)


def _count_crossings(rows: Sequence[Sequence[int]], grid: _Grid) -> int:
    count = 0
    for upper, lower in itertools.pairwise(rows):
        place = {item: index for index, item in enumerate(lower)}
        passed: list[int] = []
        for item in upper:
            ends = sorted(place[end] for end in grid.below.get(item, ()))
            count += sum(len(passed) - bisect.bisect_right(passed, end) for end in ends)
            for end in ends:
                bisect.insort(passed, end)
    return count


def _place(rows: list[list[int]], grid: _Grid, widths: Sequence[int], boxes: int) -> list[float]:
    """Return the center of each item, aligned with its neighbors above and below in turn, in row order."""
    middles = [0.0] * len(widths)

    def wish(item: int, neighbors: dict[int, list[int]]) -> float:
        near = neighbors.get(item, [])
        alike = [other for other in near if (other < boxes) is (item < boxes)] or near
        inner = [other for other in alike if other in neighbors] or alike  # a constant does not pull
        return _median(middles[other] for other in inner) if near else middles[item]

    for turn in range(PLACEMENTS):
        down = turn % 2 == 0
        for row in rows if down else reversed(rows):
            wishes = [wish(item, grid.above if down else grid.below) for item in row]
            weights = [HEAVY if item < boxes and item in grid.above else LIGHT for item in row]
            settled = _settle(wishes, [widths[item] for item in row], weights)
            for item, middle in zip(row, settled, strict=True):
                middles[item] = middle
    return middles


def _median(numbers: Iterable[float]) -> float:
    ordered = sorted(numbers)
    return (ordered[(len(ordered) - 1) // 2] + ordered[len(ordered) // 2]) / 2


def _settle(wishes: Sequence[float], widths: Sequence[int], weights: Sequence[int]) -> list[float]:
    """Return centers in order, without overlap, at the least squared distance from the wishes.

    Items with overlapping wishes form a group with fixed distances (isotonic regression).
    """
    offsets = [0.0]
    for left, right in itertools.pairwise(widths):
        offsets.append(offsets[-1] + (left + right) / 2 + SPACING)
    groups: list[tuple[float, int, int]] = []  # center of the first item, weight, items
    for wish, offset, weight in zip(wishes, offsets, weights, strict=True):
        start, total, count = wish - offset, weight, 1
        while groups and groups[-1][0] > start:
            before, heavy, members = groups.pop()
            start = (before * heavy + start * total) / (heavy + total)
            total, count = heavy + total, members + count
        groups.append((start, total, count))
    starts = [start for start, _, count in groups for _ in range(count)]
    return [start + offset for start, offset in zip(starts, offsets, strict=True)]


def _heights(rows: Sequence[Sequence[int]], sizes: Sequence[tuple[int, int]]) -> tuple[list[int], list[int]]:
    """Return top and bottom of each row, which is as high as its highest box."""
    tops, bottoms = [], []
    top = MARGIN
    for row in rows:
        tops.append(top)
        bottoms.append(top + max(sizes[item][1] for item in row if item < len(sizes)))
        top = bottoms[-1] + ROW_GAP
    return tops, bottoms
