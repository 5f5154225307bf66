"""Plant wrong rewrites one at a time, and show that the tests notice each.

    python tests/mutation/run.py [NAME …] [-n JOBS] [--tests FILE …]

Each is planted in a copy of the package, never in this checkout, and the tests run on that copy until one
fails: without recorded cases, which not everybody has. Afterwards every test that failed is run on a copy
without a fault, where it has to pass. Prints a table; exits with 1 where a fault survives, its text to
replace is gone, or a test fails without it.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

from attrs import frozen

sys.path.insert(0, str(Path(__file__).parents[1]))

from mutation.mutation import ROOT, Mutation
from mutation.mutations import MUTATIONS

SECONDS = 3600
"""A fault that makes the tests run longer has not been caught, on a busy machine either."""

PASSED, FAILED = 0, 1
"""The exit codes of pytest that say something; others mean that the tests did not run."""


@frozen(kw_only=True)
class Outcome:
    """What became of one fault; `test` is the one that noticed."""

    verdict: str
    seconds: float
    test: str = ""

    @property
    def caught(self) -> bool:
        return self.verdict == "caught"


@contextmanager
def package_copy(mutation: Mutation | None = None) -> Iterator[Path]:
    """A folder that holds the package, with the fault in it."""
    with tempfile.TemporaryDirectory(prefix="mutation-") as name:
        folder = Path(name)
        shutil.copytree(ROOT / "sensenet", folder / "sensenet", ignore=shutil.ignore_patterns("__pycache__"))
        if mutation is not None:
            path = folder / mutation.file
            path.write_text(mutation.apply(path.read_text("utf-8")), "utf-8")
        yield folder


def run_tests(folder: Path, tests: Sequence[str]) -> tuple[int, str]:
    """pytest's exit code and output; the tests of this checkout on the package in a folder."""
    options = ["-x", "-q", "--tb=no", "-p", "no:cacheprovider", "-c", str(ROOT / "pyproject.toml")]
    command = [sys.executable, "-m", "pytest", *options, f"--rootdir={ROOT}", *tests]
    environment = {
        **os.environ,
        "PYTHONPATH": str(folder),
        "SENSENET_TESTED": str(folder),
        "PYTHONDONTWRITEBYTECODE": "1",
        "HYPOTHESIS_PROFILE": "default",
        "SENSENET_SHARED": str(folder / "absent"),
    }
    check_import(folder, environment)
    done = subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, timeout=SECONDS, check=False
    )
    return done.returncode, done.stdout + done.stderr


def check_import(folder: Path, environment: dict[str, str]) -> None:
    """Raise RuntimeError unless the package that tests import is the one in the folder."""
    code = "import importlib.util as u; print(u.find_spec('sensenet').origin)"
    command = [sys.executable, "-c", code]
    found = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=True)
    if not Path(found.stdout.strip()).is_relative_to(folder):
        raise RuntimeError(f"tests would import {found.stdout.strip()}, not the copy in {folder}")


def try_mutation(mutation: Mutation, tests: Sequence[str]) -> Outcome:
    """Plant one fault and run the tests until one fails."""
    start = time.perf_counter()
    try:
        with package_copy(mutation) as folder:
            code, output = run_tests(folder, [str(ROOT / test) for test in tests or mutation.tests])
    except ValueError as error:
        return Outcome(verdict=f"stale: {error}", seconds=0.0)
    except subprocess.TimeoutExpired:
        return Outcome(verdict=f"no end after {SECONDS} s", seconds=SECONDS)
    seconds = time.perf_counter() - start
    failed = re.search(r"^FAILED \S*?(tests/.*?)(?: - .*)?$", output, re.MULTILINE)
    if code == FAILED and failed:
        return Outcome(verdict="caught", seconds=seconds, test=failed[1])
    verdict = "survived" if code == PASSED else f"not tested: {output.strip().splitlines()[-1]}"
    return Outcome(verdict=verdict, seconds=seconds)


def failing_without(tests: Sequence[str]) -> str:
    """pytest's summary where a test that noticed a fault fails without one too; nothing where all pass."""
    with package_copy() as folder:
        code, output = run_tests(folder, [str(ROOT / test) for test in dict.fromkeys(tests)])
    return "" if code == PASSED else "\n".join(output.strip().splitlines()[-10:])


def main(arguments: Sequence[str]) -> int:
    """The exit code."""
    names = {mutation.name: mutation for mutation in MUTATIONS}
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("name", nargs="*", help="mutations to plant (default: all)")
    parser.add_argument("-n", dest="jobs", type=int, default=2, help="how many at a time (default: 2)")
    parser.add_argument("--tests", nargs="+", default=(), help="other files of tests than each asks for")
    options = parser.parse_args(arguments)
    unknown = sorted(set(options.name) - set(names))
    if unknown:
        parser.error(f"there is no mutation {', '.join(unknown)}; there are: {', '.join(names)}")
    chosen = [names[name] for name in options.name or names]
    caught = []
    with ThreadPoolExecutor(options.jobs) as pool:
        outcomes = pool.map(lambda mutation: try_mutation(mutation, options.tests), chosen)
        for mutation, outcome in zip(chosen, outcomes, strict=True):
            print(
                f"{mutation.name:32} {outcome.seconds:5.0f} s  {outcome.verdict}  {outcome.test}", flush=True
            )
            caught += [outcome.test] * outcome.caught
    print(f"{len(caught)} of {len(chosen)} caught")
    innocent = failing_without(caught) if caught else ""
    if innocent:
        print(f"these fail without a fault too:\n{innocent}")
    return int(bool(innocent) or len(caught) < len(chosen))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
