"""`python -m sensenet.compile`."""

from __future__ import annotations

import sys

from sensenet.compile.command import main

sys.exit(main())
