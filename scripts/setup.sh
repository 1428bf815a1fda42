#!/bin/sh
# Bring .venv up to what uv.lock says. Run through `make setup`, which skips it when nothing changed.
#
# A virtual environment comes first: Debian's pip refuses to install outside one.
set -eu
cd "$(dirname "$0")/.."

uv_version=$1

say() { printf 'setup: %s\n' "$*"; }
fail() { printf 'setup: %s\n' "$*" >&2; exit 1; }

# The distribution's Python is built with profile-guided optimisation: here payments took a fifth
# less of it than of a plain build that stood before it in PATH.
can_make_environment='import sys, ensurepip, venv; sys.exit(sys.version_info < (3, 11))'
if [ -n "${PYTHON:-}" ]; then python=$PYTHON
elif /usr/bin/python3 -c "$can_make_environment" 2>/dev/null; then python=/usr/bin/python3
else python=python3
fi

command -v "$python" >/dev/null || fail "no $python found: install Python 3.11 or later, or name it with PYTHON="
"$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' ||
    fail "$("$python" --version) is too old: Hansa needs 3.11 or later; name another with PYTHON="

if ! .venv/bin/python -m pip --version >/dev/null 2>&1; then
    "$python" -c 'import ensurepip, venv' 2>/dev/null ||
        scripts/debian_packages.sh python3-venv ||
        fail "Python's venv module is missing: as root, apt-get install python3-venv"
    say "making a virtual environment in .venv with $("$python" --version)"
    "$python" -m venv --clear .venv
fi

if [ "$(.venv/bin/uv --version 2>/dev/null | cut -d' ' -f2)" != "$uv_version" ]; then
    say "installing uv $uv_version into it from the package index"
    .venv/bin/python -m pip install --quiet --disable-pip-version-check "uv==$uv_version"
fi

say "installing the locked dependencies (uv.lock)"
UV_PROJECT_ENVIRONMENT=.venv .venv/bin/uv sync --quiet --locked --all-extras --all-groups \
    --python .venv/bin/python
say "done: $(.venv/bin/python --version), $(.venv/bin/uv pip list --quiet --python .venv/bin/python | tail -n +3 | wc -l) packages in .venv"
