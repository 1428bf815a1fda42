#!/bin/sh
# Put CometBFT into .tools/bin: scripts/cometbft.sh VERSION. Takes no time where it is there.
#
# It is built from source by Go, whose module proxy and checksum database vouch for what was
# fetched.
set -eu
cd "$(dirname "$0")/.."
. scripts/go.sh

version=$1
binary=$tools/bin/cometbft

# CometBFT writes its version on standard output, and nothing else there.
have() { [ -x "$binary" ] && [ "$("$binary" version 2>/dev/null)" = "$version" ]; }
have && exit 0

find_go cometbft
say "building CometBFT $version with $("$go" version | cut -d' ' -f3), a minute or two"
mkdir -p "$tools/bin"
log=$(mktemp)
# No C compiler is asked for.
if ! CGO_ENABLED=0 GOBIN="$tools/bin" \
    "$go" install "github.com/cometbft/cometbft/cmd/cometbft@v$version" >"$log" 2>&1; then
    tail -n 20 "$log" >&2
    rm -f "$log"
    fail "CometBFT could not be built; it needs the Go module proxy ($("$go" env GOPROXY)), or set HANSA_COMETBFT to a cometbft $version"
fi
rm -f "$log"
clean_go
have || fail "$binary says it is $("$binary" version 2>&1 | head -n 1), not $version: remove it, then make cometbft"
say "done: CometBFT $version in .tools/bin"
