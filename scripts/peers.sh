#!/bin/sh
# Put into .tools/peers what hansa bench reconcile and hansa bench risk measure beside themselves:
# datacompy and Splink; XGBoost, onnxruntime, river and snapml. Takes no time where they are there.
#
# Each has an environment of its own, as it brings other versions than ours. uv takes exactly what
# scripts/peers/*.txt name, by their hashes, and as wheels: no program of a package is run.
set -eu
cd "$(dirname "$0")/.."

uv=.venv/bin/uv
for lock in scripts/peers/*.txt; do
    name=$(basename "$lock" .txt)
    folder=.tools/peers/$name
    cmp -s "$lock" "$folder/.hansa-lock" && continue
    printf 'setup: installing %s (%s)\n' "$name" "$lock"
    rm -rf "$folder"
    $uv venv --quiet --python .venv/bin/python "$folder"
    $uv pip sync --quiet --require-hashes --only-binary :all: --python "$folder/bin/python" "$lock"
    cp "$lock" "$folder/.hansa-lock"
done
