#!/bin/sh
# Make the Python of protocol buffers anew, after a change of a .proto file. What comes out is
# committed, so that nobody needs the compiler to install Hansa.
set -eu
cd "$(dirname "$0")/.."
out=${1:-.}
.venv/bin/python -m grpc_tools.protoc --proto_path=src --python_out="$out/src" --pyi_out="$out/src" \
    hansa/engine/cometbft/protocol/abci.proto
