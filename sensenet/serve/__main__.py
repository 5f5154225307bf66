"""`python -m sensenet.serve`."""

from __future__ import annotations

import sys

from sensenet.cli.serve import main

sys.exit(main(program="python -m sensenet.serve"))
