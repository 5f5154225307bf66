"""`python -m sensenet.bisect`."""

from __future__ import annotations

import sys

from sensenet.cli.bisect import main

sys.exit(main(program="python -m sensenet.bisect"))
