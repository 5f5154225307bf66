"""How often terms occur in texts, and items in lists."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.processor_time import limit_processor_time

from sensenet.errors import InputError
from sensenet.runtime.terms import count_items, count_terms
from sensenet.signature import FULL_TERMS_ONLY, TOKEN_MODES, TOKENS_ONLY, Items, Terms

TERMS = ("free", "call", "ü", "a_b", "free", "-")
FORMS = {"calls": 1, "Free": 0}

ALPHABET = st.sampled_from(
    [*"aAbBüßİé09_-.,;'\"!? \t\n\r\x08\x0b\u00a0\u200b\u2028", "free", "call", "calls"]
)
TEXTS = st.lists(ALPHABET, max_size=30).map("".join) | st.text(max_size=30)


@pytest.mark.parametrize(
    ("text", "options", "counts"),
    [
        ("", {}, [0, 0, 0, 0, 0, 0]),
        ("free", {}, [1, 0, 0, 0, 0, 0]),
        ("free call free", {}, [2, 1, 0, 0, 0, 0]),
        ("free,call;ü!", {}, [1, 1, 1, 0, 0, 0]),
        ("free_call", {}, [1, 0, 0, 0, 0, 0]),
        ("free _call", {}, [1, 1, 0, 0, 0, 0]),
        ("a_b", {}, [0, 0, 0, 1, 0, 0]),
        ("a_b", {"token_mode": TOKENS_ONLY}, [0, 0, 0, 0, 0, 0]),
        ("a_b", {"token_mode": FULL_TERMS_ONLY}, [0, 0, 0, 1, 0, 0]),
        ("free-call", {}, [1, 1, 0, 0, 0, 1]),
        ("calls Free calls", {}, [1, 2, 0, 0, 0, 0]),
        ("FREE CALLS", {}, [0, 0, 0, 0, 0, 0]),
        ("FREE CALLS Ü", {"case_sensitive": False}, [1, 1, 1, 0, 0, 0]),
        ("FREE", {"case_sensitive": False}, [1, 0, 0, 0, 0, 0]),
        ("FREE", {"case_sensitive": False, "token_mode": FULL_TERMS_ONLY}, [1, 0, 0, 0, 0, 0]),
        (" free", {}, [1, 0, 0, 0, 0, 0]),
        ("freedom", {}, [0, 0, 0, 0, 0, 0]),
        ("free\x08call", {}, [1, 1, 0, 0, 0, 0]),
    ],
)
def test_terms(text, options, counts):
    assert count_terms(Terms(terms=TERMS, forms=FORMS, **options))(text).tolist() == counts


@pytest.mark.parametrize(
    ("text", "options", "counts"),
    [
        ("red green", {}, [1, 1, 0]),
        ("red,  green ,red", {"separator": ","}, [2, 1, 0]),
        ("red|green", {"separator": "|"}, [1, 1, 0]),
        ("red;green,dark red", {"separator": ",", "separator_regexp": "[,;]"}, [1, 1, 1]),
        ("red and green", {"separator_regexp": r"\s+and\s+|,"}, [1, 1, 0]),
        ("redxgreen", {"separator_regexp": "(x)|y"}, [1, 1, 0]),
        ("Red", {}, [0, 0, 0]),
        ("", {}, [0, 0, 0]),
        ("dark red", {"separator": ""}, [0, 0, 0]),
    ],
)
def test_items(text, options, counts):
    assert count_items(Items(items=("red", "green", "dark red"), **options))(text).tolist() == counts


@given(TEXTS, st.sampled_from(TOKEN_MODES), st.booleans())
def test_terms_as_the_bindings_count_them(text, mode, case_sensitive):
    modelfields = pytest.importorskip("bigml.modelfields", reason="pip install 'sensenet-compiler[bindings]'")
    terms, forms = ["a", "b", "free", "call", ".", "ss"], {"a": ["A", "é"], "b": ["a", "0"], "zzz": ["9"]}
    summary = {"tag_cloud": [[term, 1] for term in terms], "term_forms": forms}
    analysis = {"token_mode": mode, "case_sensitive": case_sensitive}
    record = {"name": "t", "optype": "text", "summary": summary, "term_analysis": analysis}
    fields = modelfields.ModelFields({"000000": {**record, "column_number": 0}})
    found = dict(fields.get_unique_terms({"000000": text})["000000"])
    encoding = Terms(
        terms=terms,
        forms={"A": 0, "é": 0, "0": 1},
        case_sensitive=case_sensitive,
        token_mode=mode,
    )
    assert count_terms(encoding)(text).tolist() == [found.get(term, 0) for term in terms]


@given(TEXTS, st.sampled_from([None, r"[,;]", r"\s+", r"\s*,\s*", r"a|b+", r"(-)|;", r"\b", r"x*", "é?a"]))
def test_items_as_the_bindings_count_them(text, regexp):
    modelfields = pytest.importorskip("bigml.modelfields", reason="pip install 'sensenet-compiler[bindings]'")
    pattern = r"\ " if regexp is None else regexp
    try:
        parts = modelfields.parse_items(text, pattern)
    except AttributeError:  # of a group that matched nothing
        return
    found = dict(modelfields.get_unique_terms(parts, {}, ["a", "free", "", "call"]))
    counts = count_items(Items(items=("a", "free", "", "call"), separator_regexp=regexp))(text)
    assert counts.tolist() == [found.get(item, 0) for item in ("a", "free", "", "call")]


@pytest.mark.parametrize(
    ("regexp", "reason"),
    [
        ("(", "missing \\), unterminated subpattern"),
        ("[", "'\\[' is not supported there"),
        ("a**", "'\\*' is not supported"),
        ("*", "is not supported"),
        (r"(a)\1", r"is not supported"),
        ("(?=a)", "is not supported"),
        ("(?i)a", "is not supported"),
        ("(a+)+", "is not supported"),
        ("(?:a|a)*b", "is not supported"),
        (r"\p{Punct}", "is not supported|bad escape"),
        (r"\q", "bad escape"),
        ("a{3,2}", "min repeat greater than max repeat"),
        ("a{99999999999}", "too large|repetition"),
        ("[[a]", "is not supported"),
        ("[a--b]", "is not supported"),
        ("a" * 201, "longer than 200 characters"),
    ],
)
def test_separators_that_are_refused(regexp, reason):
    with pytest.raises(InputError, match=reason) as caught:
        count_items(Items(items=("a",), separator_regexp=regexp))
    assert "pass the row as a list of cells" in str(caught.value)


@pytest.mark.parametrize(
    ("regexp", "text"),
    [
        (r"\s*,\s*", " " * 4_000),
        (r"a?a?a?a?a?a?a?aaaaaaa$", "a" * 4_000),
        (r"(a|a)(a|a)(a|a)(a|a)(a|a)(a|a)(a|a)b", "a" * 4_000),
        (r"[^a]{3000,}", "b" * 2_999 + "a"),
        (r",|;|\band\b", "x" * 1_000_000),
        (r"\s+", " " * 1_000_000),
    ],
    ids=itertools.count(),
)
def test_separators_that_end_in_time(regexp, text):
    count = count_items(Items(items=("a",), separator_regexp=regexp))
    with limit_processor_time():
        count(text)


@pytest.mark.parametrize(
    ("regexp", "length"),
    [(r"\s*\s*,", 1_000), (r"\s*,\s*", 100_000), (r"a?" * 20 + "aaa$", 100), (r"(.|.)" * 30 + "b", 100)],
)
def test_texts_that_are_too_long_for_their_separator(regexp, length):
    with pytest.raises(InputError, match=rf"of {length} characters is too long for the separator"):
        count_items(Items(items=("a",), separator_regexp=regexp))("a" * length)
