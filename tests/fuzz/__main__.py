"""Fuzz one format for long: `python tests/fuzz FORMAT --minutes N --seed S`, from the clone's root.

With `--case NUMBER` one case is run in this process, and its exception shown; `--keep FOLDER` writes the
files of each finding there.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from pathlib import Path

sys.path.pop(0)  # this folder, whose modules have names of packages
sys.path.insert(0, str(Path(__file__).parents[1]))

from fuzz.formats import FORMATS
from fuzz.runner import make_case, run, write_case


def main() -> int:
    parser = argparse.ArgumentParser(prog="python tests/fuzz", description=__doc__)
    parser.add_argument("format", choices=FORMATS)
    parser.add_argument("--minutes", type=float, default=1)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--case", type=int, help="run this case alone, here")
    parser.add_argument("--keep", type=Path, help="write the files of findings into this folder")
    chosen = parser.parse_args()
    if chosen.case is not None:
        return _run_one(chosen.format, chosen.seed, chosen.case, chosen.keep)
    end = time.monotonic() + chosen.minutes * 60
    outcome = run(chosen.format, chosen.seed, lambda _: time.monotonic() < end)
    print("\n".join(outcome.lines()))
    if chosen.keep is not None and outcome.findings:
        module = FORMATS[chosen.format].load()
        seeds = module.seeds()
        for found in outcome.findings:
            case = make_case(module, seeds, chosen.format, chosen.seed, found.number)
            write_case(case, chosen.keep / f"{chosen.format}-{chosen.seed}-{found.number}")
    return bool(outcome.findings)


def _run_one(name: str, seed: int, number: int, keep: Path | None) -> int:
    module = FORMATS[name].load()
    case = make_case(module, module.seeds(), name, seed, number)
    with tempfile.TemporaryDirectory(prefix="fuzz-") as temporary:
        folder = keep or Path(temporary)
        write_case(case, folder)
        module.open(folder)
    return 0


if __name__ == "__main__":
    sys.exit(main())
