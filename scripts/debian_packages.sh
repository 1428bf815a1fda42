#!/bin/sh
# Install Debian packages: scripts/debian_packages.sh PACKAGE...
#
# Needs root, or sudo without a password; otherwise says what is missing and fails.
set -eu

as_root=
if [ "$(id -u)" -ne 0 ]; then
    if command -v sudo >/dev/null && sudo -n true 2>/dev/null; then
        as_root="sudo -n"
    else
        printf 'setup: missing: %s; as root, run: apt-get install %s\n' "$*" "$*" >&2
        exit 1
    fi
fi
command -v apt-get >/dev/null || {
    printf 'setup: missing: %s; there is no apt-get here to install it with\n' "$*" >&2
    exit 1
}

printf 'setup: installing Debian packages: %s\n' "$*"
export DEBIAN_FRONTEND=noninteractive
quietly() {
    log=$(mktemp)
    if ! "$@" >"$log" 2>&1; then
        tail -n 20 "$log" >&2
        rm -f "$log"
        return 1
    fi
    rm -f "$log"
}
quietly $as_root apt-get update
quietly $as_root env DEBIAN_FRONTEND=noninteractive \
    apt-get install --yes --no-install-recommends "$@"
