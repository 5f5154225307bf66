"""The layout: boxes apart, edges downward and around boxes, chains straight, always the same."""

from __future__ import annotations

import itertools

from hypothesis import given
from hypothesis import strategies as st

from sensenet.drawing.layout import SPACING, arrange

ROUNDING = 1
SIZE = st.tuples(st.integers(1, 60).map(lambda half: 2 * half), st.integers(10, 50))


@st.composite
def drawings(draw):
    """Sizes of some boxes, and edges from boxes to later ones."""
    sizes = draw(st.lists(SIZE, max_size=14))
    pairs = list(itertools.combinations(range(len(sizes)), 2))
    edges = draw(st.lists(st.sampled_from(pairs), max_size=25, unique=True)) if pairs else []
    return sizes, edges


def rectangles(sizes, layout):
    for (left, top), (width, height) in zip(layout.corners, sizes, strict=True):
        yield left, top, left + width, top + height


def overlap(a, b):
    return a[0] < b[2] and b[0] < a[2] and a[1] < b[3] and b[1] < a[3]


@given(drawings())
def test_boxes_are_apart_and_inside_the_image(drawing):
    sizes, edges = drawing
    layout = arrange(sizes, edges)
    boxes = list(rectangles(sizes, layout))
    for box in boxes:
        assert min(box) >= 0
        assert box[2] <= layout.width
        assert box[3] <= layout.height
    for a, b in itertools.combinations(boxes, 2):
        assert not overlap((a[0] - SPACING + 2 * ROUNDING, *a[1:]), b)


@given(drawings())
def test_edges_go_down_from_box_to_box_and_around_the_others(drawing):
    sizes, edges = drawing
    layout = arrange(sizes, edges)
    boxes = list(rectangles(sizes, layout))
    assert len(layout.routes) == len(edges)
    for (source, target), route in zip(edges, layout.routes, strict=True):
        for end, x, y, side in ((source, *route[0], 3), (target, *route[-1], 1)):
            assert boxes[end][0] < x < boxes[end][2]
            assert y == boxes[end][side]
        for (x, y), (next_x, next_y) in itertools.pairwise(route):
            assert y < next_y
            if x == next_x:
                others = [box for index, box in enumerate(boxes) if index not in (source, target)]
                assert not any(overlap((x, y, x, next_y), box) for box in others)


@given(drawings())
def test_curves_stay_between_the_rows(drawing):
    """Where an edge moves sidewards there is no box at that height, so that it crosses none."""
    sizes, edges = drawing
    layout = arrange(sizes, edges)
    rows = {}
    for box in rectangles(sizes, layout):
        rows[box[1]] = max(rows.get(box[1], 0), box[3])
    for route in layout.routes:
        for (x, y), (next_x, next_y) in itertools.pairwise(route):
            if x != next_x:
                own_row = max(top for top in rows if top < next_y)
                assert own_row < y, "it begins below the top of the row above"
                assert next_y in rows, "and ends at the top of the next"


@given(drawings())
def test_it_is_always_the_same(drawing):
    sizes, edges = drawing
    assert arrange(sizes, edges) == arrange(list(sizes), list(edges))


def test_nothing_and_one_box():
    assert arrange([], []).corners == ()
    assert len(arrange([(10, 10)], []).corners) == 1


def test_a_chain_with_skips_is_straight():
    chain = [(node, node + 1) for node in range(29)]
    skips = [(node, node + 3) for node in range(0, 27, 3)]
    layout = arrange([(100, 30)] * 30, chain + skips)
    assert len({left for left, _ in layout.corners}) == 1


def test_what_reads_nothing_stands_right_above_its_reader():
    layout = arrange([(100, 30)] * 5, [(0, 1), (1, 2), (2, 4), (3, 4)])
    assert layout.corners[3][1] == layout.corners[2][1]
    assert layout.corners[4][0] == layout.corners[2][0], "and does not push it aside"


def test_constants_beside_a_chain_leave_it_straight():
    constants = [(number, 7 + 3 * number) for number in range(5)]
    chain = [(node, node + 1) for node in range(5, 24)]
    layout = arrange([(100, 30)] * 25, constants + chain)
    assert len({left for left, _ in layout.corners[5:]}) == 1


def test_edges_cross_only_if_they_must():
    layout = arrange([(20, 20)] * 4, [(0, 3), (1, 2)])
    ends = sorted((route[0][0], route[-1][0]) for route in layout.routes)
    assert ends[0][1] < ends[1][1]


def test_a_thousand_layers_are_no_problem():
    layout = arrange([(100, 30)] * 1000, [(n, n + 1) for n in range(999)])
    assert layout.corners[-1][1] > layout.corners[0][1]
