#!/bin/sh
# Put the batch verifier of verifier/ into .tools/lib. Takes no time where it is there.
#
# Go builds it, with a C compiler for the way in; go.sum vouches for what is fetched.
set -eu
cd "$(dirname "$0")/.."
. scripts/go.sh

library=$tools/lib/libhansa_verifier.so
sources=$(cat verifier/* scripts/verifier.sh | sha256sum)

[ -f "$library" ] && [ "$(cat "$library.sources" 2>/dev/null)" = "$sources" ] && exit 0

find_go verifier
say "building the batch verifier with $("$go" version | cut -d' ' -f3), half a minute"
mkdir -p "$tools/lib"
log=$(mktemp)
if ! CGO_ENABLED=1 "$go" build -C verifier -buildvcs=false -trimpath -ldflags="-s -w" \
    -buildmode=c-shared -o "$library.new" . >"$log" 2>&1; then
    tail -n 20 "$log" >&2
    rm -f "$log"
    fail "the batch verifier could not be built; it needs a C compiler (gcc) and the Go module proxy ($("$go" env GOPROXY))"
fi
# Running nodes keep the file that they have opened.
mv "$library.new" "$library"
printf '%s\n' "$sources" >"$library.sources"
rm -f "$log" "$tools"/lib/*.h
clean_go
say "done: the batch verifier in .tools/lib"
