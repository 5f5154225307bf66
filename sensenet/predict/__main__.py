"""`python -m sensenet.predict`."""

from __future__ import annotations

import sys

from sensenet.predict.command import main

sys.exit(main())
