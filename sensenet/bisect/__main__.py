"""`python -m sensenet.bisect`."""

from __future__ import annotations

import sys

from sensenet.bisect.command import main

sys.exit(main())
