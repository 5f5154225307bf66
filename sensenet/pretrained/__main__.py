"""`python -m sensenet.pretrained`."""

from __future__ import annotations

import sys

from sensenet.cli.pretrained import main

sys.exit(main(program="python -m sensenet.pretrained"))
