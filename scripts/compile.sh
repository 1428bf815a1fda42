#!/bin/sh
# Compile the state machine (scripts/compile.py) where there is a C compiler and what it needs.
set -eu
cd "$(dirname "$0")/.."

go_on() {
    printf 'setup: going on without compiling: %s; nodes run from source, more slowly\n' "$1"
    exit 0
}

command -v cc >/dev/null || go_on "there is no C compiler (apt-get install gcc)"
headers=$(.venv/bin/python -c 'import sysconfig; print(sysconfig.get_path("include"))')
test -f "$headers/Python.h" || scripts/debian_packages.sh python3-dev ||
    go_on "Python's headers are missing"
test -f "$headers/Python.h" || go_on "Python's headers are not in $headers"
exec .venv/bin/python scripts/compile.py
