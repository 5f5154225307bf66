"""`python -m sensenet.decompile`."""

from __future__ import annotations

import sys

from sensenet.cli.decompile import main

sys.exit(main(program="python -m sensenet.decompile"))
