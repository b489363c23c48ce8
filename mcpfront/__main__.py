"""``python -m mcpfront`` is the ``mcpfront`` command."""

from __future__ import annotations

import sys

from mcpfront.cli import main

if __name__ == "__main__":
    sys.exit(main())
