"""What a resource says of its fields, and when that makes a row's cells."""

from __future__ import annotations

import contextlib
import copy
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.documents import dense

from sensenet.errors import InputError
from sensenet.frontend import import_graph
from sensenet.frontend.fields import MISSING_TOKENS, read_field
from sensenet.models.wrappers import create_model
from sensenet.signature import Booleans, Field, Items, Number, Signature, Summary, Terms

NUMERIC = {"type": "numeric", "mean": 0.0, "stdev": 1.0}
TEXT = {
    "name": "Message",
    "optype": "text",
    "term_analysis": {"case_sensitive": False, "token_mode": "tokens_only", "enabled": True},
    "summary": {
        "missing_count": 0,
        "tag_cloud": [["free", 9], ["call", 3]],
        "term_forms": {"call": ["calls", "calling"], "other": ["others"]},
    },
}
ITEMS = {
    "name": "tags",
    "optype": "items",
    "item_analysis": {"separator": ";", "separator_regexp": None},
    "summary": {"items": [["a", 2], ["b", 1]]},
}
NUMBER = {"name": "age", "optype": "numeric", "summary": {"missing_count": 3, "mean": 4.5}}
CATEGORY = {
    "name": "member",
    "optype": "categorical",
    "summary": {"categories": [["False", 3], ["True", 3]], "missing_count": 0},
}


def resource(*fields, columns=None, **members):
    """A resource whose preprocessing is that of its fields' cells."""
    preprocess = [dict(column, index=index) for index, column in enumerate(columns or [NUMERIC] * 2)]
    features = sum(len(column.get("values", "1")) for column in preprocess)
    network = {
        "preprocess": preprocess,
        "layers": [dense(features, 1, "linear")],
        "output_exposition": {"type": "numeric", "mean": 0, "stdev": 1},
    }
    ids = [f"00000{number}" for number in range(len(fields))]
    deepnet = {"network": network, "fields": copy.deepcopy(dict(zip(ids, fields, strict=True)))}
    return {"object": {"input_fields": ids, "deepnet": {**deepnet, **members}}}


def read(*fields, **options):
    return import_graph(resource(*fields, **options)).signature


def test_a_text_becomes_its_terms():
    terms = Terms(
        terms=("free", "call"),
        forms={"calls": 1, "calling": 1},
        case_sensitive=False,
        token_mode="tokens_only",
    )
    signature = read(TEXT)
    assert signature.fields == (Field(id="000000", name="Message", optype="text", encoding=terms),)
    assert signature.cell_names == ("Message free", "Message call")
    assert signature.missing_tokens == MISSING_TOKENS


@pytest.mark.parametrize(
    ("term_forms", "forms"),
    [
        ({}, {}),
        (None, {}),
        ({"call": ["free"]}, {}),
        ({"free": ["x"], "call": ["x"]}, {"x": 1}),
        ({"other": ["x"], "call": ["other"]}, {"other": 1}),
        ({"call": ["other"], "other": ["x"]}, {}),
    ],
)
def test_forms_of_terms(term_forms, forms):
    field = copy.deepcopy(TEXT)
    field["summary"]["term_forms"] = term_forms
    assert read(field).fields[0].encoding.forms == forms


def test_defaults_of_texts():
    (field,) = read({**TEXT, "term_analysis": {}}).fields
    assert (field.encoding.case_sensitive, field.encoding.token_mode) == (True, "all")


def test_a_list_becomes_its_items():
    assert read(ITEMS).fields[0].encoding == Items(items=("a", "b"), separator=";")
    assert read({**ITEMS, "item_analysis": {}}).fields[0].encoding == Items(items=("a", "b"))
    regexp = {**ITEMS, "item_analysis": {"separator": None, "separator_regexp": "[,;]"}}
    assert read(regexp).fields[0].encoding == Items(items=("a", "b"), separator_regexp="[,;]")


def test_numbers_that_were_missing_have_a_cell_that_says_so():
    assert read(NUMBER, missing_numerics=True).fields[0].encoding == Number(flags_missing=True)
    assert read(NUMBER, columns=[NUMERIC], missing_numerics=False).fields[0].encoding is None
    never = {**NUMBER, "summary": {"missing_count": 0}}
    assert read(never, columns=[NUMERIC], missing_numerics=True).fields[0].encoding is None


@pytest.mark.parametrize(("statistic", "default"), [("mean", 4.5), ("zero", 0), ("median", 0)])
def test_defaults_of_numbers(statistic, default):
    document = resource(NUMBER, columns=[NUMERIC])
    document["object"]["default_numeric_value"] = statistic
    assert import_graph(document).signature.fields[0].encoding == Number(default=default)


@pytest.mark.parametrize(
    ("field", "summary"),
    [
        (NUMBER, Summary(mean=4.5, missing=3)),
        (
            {**NUMBER, "summary": {"minimum": 1, "maximum": 9, "median": 4, "standard_deviation": 0.5}},
            Summary(minimum=1, maximum=9, median=4, standard_deviation=0.5),
        ),
        ({**NUMBER, "summary": {"bins": [[1.5, 2], [4, 6]]}}, Summary(counts=[(1.5, 2), (4, 6)])),
        ({**NUMBER, "summary": {"bins": [], "counts": [[1, 2]]}}, Summary(counts=[(1, 2)])),
        (CATEGORY, Summary(counts=[("False", 3), ("True", 3)])),
        ({**CATEGORY, "summary": {"categories": [["a", 1]], "mean": 3}}, Summary(counts=[("a", 1)])),
        ({**TEXT, "summary": {"missing_count": 4}}, Summary(missing=4)),
        (TEXT, None),
        ({**NUMBER, "summary": None}, None),
        ({**NUMBER, "summary": {"mean": "4.5"}}, None),
        ({**NUMBER, "summary": {"mean": float("inf")}}, None),
        ({**NUMBER, "summary": {"bins": [["a", 2]]}}, None),
        ({**NUMBER, "summary": {"bins": 2}}, None),
        ({**CATEGORY, "summary": {"categories": [[1, 2]]}}, None),
        ({**CATEGORY, "summary": {"categories": [["\ud800", 2]]}}, None),
        ({**CATEGORY, "summary": {"categories": [["a", 2.5]]}}, None),
    ],
)
def test_summaries_say_what_training_rows_had(field, summary):
    named = {"0": {"name": "objective", **field}}
    assert read_field(named, "0").summary == summary


def test_affixes_of_numbers():
    signature = read({**NUMBER, "prefix": "$", "suffix": "%"}, columns=[NUMERIC])
    assert signature.fields[0].encoding == Number(prefix="$", suffix="%")


@pytest.mark.parametrize(
    ("categories", "encoding"),
    [
        (["True", "False"], Booleans(true="True", false="False")),
        (["false", "TRUE"], Booleans(true="TRUE", false="false")),
        (["1", "0"], Booleans(true="1", false="0")),
        (["yes", "no"], None),
        (["true", "0"], None),
        (["true", "True"], None),
        (["true", "false", "maybe"], None),
        ([], None),
    ],
)
def test_categories_that_are_booleans(categories, encoding):
    summary = {"categories": [[category, 1] for category in categories]}
    column = {"type": "categorical", "values": ["a", "b"]}
    assert read({**CATEGORY, "summary": summary}, columns=[column]).fields[0].encoding == encoding


def test_missing_tokens_of_the_resource():
    assert read(TEXT, missing_tokens=["none", 3]).missing_tokens == ("none",)
    assert read(TEXT, missing_tokens=[]).missing_tokens == ()


@pytest.mark.parametrize(
    "field",
    [
        {**TEXT, "summary": {}},
        {**TEXT, "summary": {"tag_cloud": [["free", 1]]}},
        {**TEXT, "summary": {"tag_cloud": ["free", "call"]}},
        {**TEXT, "summary": {"tag_cloud": [[1, 1], [2, 1]]}},
        {**TEXT, "summary": {"tag_cloud": [["\ud800", 1], ["a", 1]]}},
        {**TEXT, "summary": {"tag_cloud": 3}},
        {**TEXT, "summary": {**TEXT["summary"], "term_forms": [1]}},
        {**TEXT, "summary": {**TEXT["summary"], "term_forms": {"call": 1}}},
        {**ITEMS, "item_analysis": {"separator": 3}},
        {**ITEMS, "item_analysis": {"separator_regexp": 3}},
        {**ITEMS, "summary": {"items": None}},
        {**NUMBER, "prefix": 3},
        {**NUMBER, "summary": {"missing_count": "3"}},
        CATEGORY,
    ],
)
def test_fields_whose_cells_are_others_are_left_out(field):
    signature = read(field, missing_numerics=True)
    assert signature.fields == ()
    assert signature.missing_tokens == ()


def test_descriptions_and_the_unit_of_the_objective_are_kept():
    area = {"name": "area", "optype": "numeric", "description": "in square feet"}
    document = resource(area, columns=[NUMERIC])
    price = {"name": "price", "optype": "numeric", "prefix": "$", "suffix": 7, "description": "\ud800"}
    document["object"]["objective_field"] = "00000f"
    document["object"]["deepnet"]["fields"]["00000f"] = price
    signature = create_model(document).signature
    assert signature.fields[0].description == "in square feet"
    assert signature.objective == Field(
        id="00000f", name="price", optype="numeric", encoding=Number(prefix="$")
    )
    assert Signature.from_json(json.loads(json.dumps(signature.to_json()))) == signature


WORDS = st.sampled_from(["a", "b", "free", "", "\ud800", "(a+)+", "[", ",", "all", "mean", "é"])
LEAVES = st.none() | st.booleans() | st.integers(-2, 2) | st.floats(-2, 2) | WORDS
VALUES = st.recursive(
    LEAVES,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(WORDS, inner, max_size=2),
    max_leaves=6,
)
PAIRS = st.lists(st.tuples(WORDS, st.integers(0, 9)).map(list) | VALUES, min_size=1, max_size=3)
SUMMARIES = st.fixed_dictionaries(
    {},
    optional={
        "tag_cloud": PAIRS | VALUES,
        "term_forms": st.dictionaries(WORDS, st.lists(WORDS, max_size=2) | VALUES, max_size=2) | VALUES,
        "items": PAIRS | VALUES,
        "categories": PAIRS | VALUES,
        "missing_count": VALUES,
        "mean": VALUES,
    },
)
RECORDS = st.fixed_dictionaries(
    {"name": st.just("field"), "optype": st.sampled_from(["text", "items", "numeric", "categorical"])},
    optional={
        "summary": SUMMARIES | VALUES,
        "term_analysis": st.dictionaries(st.sampled_from(["token_mode", "case_sensitive"]), VALUES) | VALUES,
        "item_analysis": st.dictionaries(st.sampled_from(["separator", "separator_regexp"]), VALUES) | VALUES,
        "prefix": VALUES,
        "suffix": VALUES,
    },
)
MEMBERS = st.fixed_dictionaries({}, optional={"missing_numerics": VALUES, "missing_tokens": VALUES})


@given(RECORDS, MEMBERS, st.integers(1, 3), VALUES)
def test_whatever_a_resource_says_of_its_fields_its_network_is_read(record, members, cells, value):
    model = create_model(resource(record, columns=[NUMERIC] * cells, **members))
    assert model([1.0] * cells).shape == (1, 1)
    record = json.loads(json.dumps(model.signature.to_json()))
    assert Signature.from_json(record) == model.signature
    with contextlib.suppress(InputError):
        model({"field": value})
