#!/bin/sh
# Compile the state machine (scripts/compile.py) where there is a C compiler and what it needs.
set -eu
cd "$(dirname "$0")/.."

say() { printf 'setup: %s\n' "$*"; }
go_on() { say "going on without compiling: $1; nodes run from source, more slowly"; exit 0; }

command -v cc >/dev/null || go_on "there is no C compiler (apt-get install gcc)"
headers=$(.venv/bin/python -c 'import sysconfig; print(sysconfig.get_path("include"))')
test -f "$headers/Python.h" || scripts/debian_packages.sh python3-dev ||
    go_on "Python's headers are missing"
test -f "$headers/Python.h" || go_on "Python's headers are not in $headers"
say "compiling the state machine, half a minute"
.venv/bin/python scripts/compile.py
