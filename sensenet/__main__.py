"""`python -m sensenet`."""

from __future__ import annotations

import sys

from sensenet.cli.start import main

sys.exit(main())
