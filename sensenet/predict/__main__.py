"""`python -m sensenet.predict`."""

from __future__ import annotations

import sys

from sensenet.cli.predict import main

sys.exit(main(program="python -m sensenet.predict"))
