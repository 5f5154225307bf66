"""The tests of the passes notice wrong rewrites; see `run.py`, which prints which test noticed what."""

from __future__ import annotations

import pytest

from mutation.mutations import MUTATIONS, ROOT
from mutation.run import try_mutation
from sensenet.passes import ALL_PASSES

NAMES = [mutation.name for mutation in MUTATIONS]


def test_each_has_a_name_of_its_own():
    assert len(set(NAMES)) == len(NAMES) >= 10


@pytest.mark.parametrize("mutation", MUTATIONS, ids=NAMES)
def test_what_it_replaces_is_there(mutation):
    source = (ROOT / mutation.file).read_text("utf-8")
    changed = mutation.apply(source)
    assert changed != source
    compile(changed, mutation.file, "exec")
    assert all((ROOT / test).is_file() for test in mutation.tests)


@pytest.mark.parametrize("name", ALL_PASSES)
def test_each_pass_has_a_mutation(name):
    file = f"sensenet/passes/{name.replace('-', '_')}.py"
    found = [mutation for mutation in MUTATIONS if mutation.file == file]
    assert found, f"step 4: add a wrong rewrite of {file} to MUTATIONS of tests/mutation/mutations.py"


def test_a_text_that_is_gone_is_told():
    with pytest.raises(ValueError, match="stands 0 times in"):
        MUTATIONS[0].apply("")


@pytest.mark.slow
@pytest.mark.parametrize("mutation", MUTATIONS, ids=NAMES)
def test_it_is_noticed(mutation):
    outcome = try_mutation(mutation, mutation.tests)
    assert outcome.caught, outcome.verdict
