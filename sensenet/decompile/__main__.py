"""`python -m sensenet.decompile`."""

from __future__ import annotations

import sys

from sensenet.decompile.command import main

sys.exit(main())
