"""Where the `hansa` script begins.

Worker processes load the script's module again before their own work. So it must be light: the
commands, and all that they need, are imported when the command runs.
"""

from __future__ import annotations

import sys

from hansa.program import EXIT_INTERRUPTED


def main() -> int:
    """Run the command; returns the exit code."""
    try:
        from hansa.cli.main import main as run  # noqa: PLC0415 - see above

        return run()
    except KeyboardInterrupt:  # while modules are loaded; later the command says so itself
        sys.stderr.write("hansa: stopped\n")
        return EXIT_INTERRUPTED


if __name__ == "__main__":
    sys.exit(main())
