"""Whole resources, as BigML's bindings want them: with fields of every type, and networks on their cells."""

from __future__ import annotations

from support.documents import dense, detector, image, legacy, tree

WORDS = ("free", "call", "entry", "ü", "don", "50", "a")


def text(name, *terms, forms=None, **analysis):
    summary = {"tag_cloud": [[term, 9] for term in terms], "term_forms": forms or {}, "missing_count": 0}
    return {
        "name": name,
        "optype": "text",
        "summary": summary,
        "term_analysis": {"enabled": True, **analysis},
    }


def items(name, *found, **analysis):
    summary = {"items": [[item, 9] for item in found], "missing_count": 0}
    return {"name": name, "optype": "items", "summary": summary, "item_analysis": analysis}


def number(name, missing_count=0, **members):
    summary = {"missing_count": missing_count, "mean": 2.5, "median": 1.75, "minimum": -4}
    return {"name": name, "optype": "numeric", "summary": summary, **members}


def category(name, *values):
    summary = {"categories": [[value, 5] for value in values], "missing_count": 0}
    return {"name": name, "optype": "categorical", "summary": summary}


def image_field(name):
    return {"name": name, "optype": "image", "summary": {"missing_count": 0}}


def columns_of(field, missing_numerics):
    """The columns of a field's cells, without their indices."""
    summary = field["summary"]
    standard = {"type": "numeric", "mean": 0.25, "stdev": 1.5}
    if field["optype"] == "categorical":
        return [{"type": "categorical", "values": sorted(value for value, _ in summary["categories"])}]
    if field["optype"] == "image":
        return [{"type": "image"}]
    if field["optype"] == "numeric":
        flag = {"type": "numeric", "zero_value": 0.0, "one_value": 1.0}
        return [standard, flag] if missing_numerics and summary["missing_count"] else [standard]
    return [dict(standard) for _ in summary.get("tag_cloud") or summary.get("items")]


def whole(fields, make_network, objective, missing_numerics=False, **members):
    """A resource with these fields and, last, its objective.

    `make_network` makes the network, without its columns, from the number of features that it reads.
    """
    columns = [column for field in fields for column in columns_of(field, missing_numerics)]
    preprocess = [{**column, "index": index} for index, column in enumerate(columns)]
    features = sum(len(column.get("values", "1")) for column in preprocess)
    ids = [f"{number:06x}" for number in range(len(fields) + 1)]
    named = {
        id_: {**field, "column_number": position, "preferred": True}
        for position, (id_, field) in enumerate(zip(ids, [*fields, objective], strict=True))
    }
    network = {"preprocess": preprocess, "trees": None, **make_network(features)}
    return {
        "code": 200,
        "error": None,
        "resource": "deepnet/0123456789abcdef01234567",
        "object": {
            "resource": "deepnet/0123456789abcdef01234567",
            "name": "a model",
            "description": "",
            "status": {"code": 5},
            "input_fields": ids[:-1],
            "objective_fields": ids[-1:],
            "deepnet": {"network": network, "fields": named, "missing_numerics": missing_numerics},
            **members,
        },
    }


CLASSES = {"type": "categorical", "values": ["ham", "other", "spam"]}
NUMBERS = {"type": "numeric", "mean": 3.5, "stdev": 2.0}
KIND = category("kind", "spam", "ham", "other")
PRICE = number("price")


def classify(features):
    layers = [dense(features, 4), dense(4, 3, "softmax")]
    return {"layers": layers, "output_exposition": CLASSES}


def classify_with_legacy_layers(features):
    layers = [legacy(features, 4, "tanh", stdev=True), legacy(4, 3, "softmax")]
    return {"layers": layers, "output_exposition": CLASSES}


def predict_number(features):
    layers = [legacy(features, 4, "tanh"), legacy(4, 1, "linear")]
    return {"layers": layers, "output_exposition": NUMBERS}


def ask_trees(features):
    """Two networks, one of which reads trees."""
    networks = [
        {"layers": [legacy(features + 1, 3, "softmax")], "trees": True, "output_exposition": CLASSES},
        {"layers": [legacy(features, 3, "softmax")], "trees": False, "output_exposition": CLASSES},
    ]
    return {"networks": networks, "trees": [[[0, 3], [tree(3, outputs=1), tree(2, outputs=1)]]]}


def look(_):
    """An image and a number."""
    document = image()
    layers = [dense(4, 3, "softmax")]
    return {"image_network": document["image_network"], "layers": layers, "output_exposition": CLASSES}


def detect(_):
    document = detector()
    return {key: document[key] for key in ("image_network", "layers", "output_exposition")}


MIXED = (
    text("Message", *WORDS, forms={"call": ["calls", "calling"]}, case_sensitive=False),
    number("age", missing_count=3),
    category("color", "red", "green", "NA"),
    items("tags", "a", "b c", "d", separator=";"),
    category("member", "true", "false"),
    number("cost", prefix="$", suffix=" each"),
    text("title", *WORDS, case_sensitive=True, token_mode="full_terms_only"),
    text("body", *WORDS, forms={"don": ["dont"]}, token_mode="tokens_only", language="en"),
    number("when.year", parent_optype="datetime", parent_ids=["0000ff"], datatype="year"),
    items("codes", "x", "y", "z z", separator=",", separator_regexp=r"[,;|]|\s+and\s+"),
)
TABULAR = (number("width"), category("color", "red", "green", "blue"), number("height", missing_count=1))
DEFAULTS = {"missing_numerics": True, "default_numeric_value": "median"}

RESOURCES = {
    "text": lambda: whole([text("Message", *WORDS, case_sensitive=False)], classify, KIND),
    "mixed": lambda: whole(MIXED, classify_with_legacy_layers, KIND, missing_numerics=True),
    "mixed, no flags": lambda: whole(MIXED, classify, KIND),
    "mixed, defaults": lambda: whole(MIXED, predict_number, PRICE, **DEFAULTS),
    "tabular": lambda: whole(TABULAR, classify_with_legacy_layers, KIND),
    "regression": lambda: whole(TABULAR, predict_number, PRICE, missing_numerics=True),
    "trees": lambda: whole(TABULAR, ask_trees, KIND),
}
"""Those that the bindings' NumPy path can run have legacy layers."""

MIXED_ROWS = (
    {"Message": "Free entry: call, calls!", "age": 30, "color": "red", "tags": "a; b c", "member": True},
    {"Message": None, "when.year": 2001, "cost": 2.5, "title": "free", "codes": "x and y|x"},
    {"000000": "FREE FREE", "color": "NA", "member": "false"},
    {"color": "green", "member": "TRUE", "age": 0},
    {"color": "a color that is not there", "member": "no", "age": -3.5},
    {},
)
"""Rows by name of the resource `mixed`: texts, missing numbers and tokens, booleans, unknown categories."""

LAMINAR = ("mixed", "mixed, defaults", "tabular", "regression", "trees")


def image_resource():
    return whole([image_field("photo"), number("width")], look, KIND)


def region_resource():
    return whole([image_field("photo")], detect, {"name": "boxes", "optype": "regions", "summary": {}})
