"""Where the `hansa` script begins.

Worker processes load the script's module again before their own work. So it must be light: the
commands, and all that they need, are imported when the command runs.
"""

from __future__ import annotations

import sys


def main() -> int:
    """Run the command; returns the exit code."""
    from hansa.cli.main import main as run  # noqa: PLC0415 - see above

    return run()


if __name__ == "__main__":
    sys.exit(main())
