"""`python -m sensenet.compile`."""

from __future__ import annotations

import sys

from sensenet.cli.compile import main

sys.exit(main(program="python -m sensenet.compile"))
