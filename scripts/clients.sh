#!/bin/sh
# Put other people's wallets and cryptosuites into tests/clients/node_modules, for tests alone.
# Takes no time where they are there.
#
# npm takes exactly what package-lock.json names, by its hashes; no program of a package is run.
set -eu
cd "$(dirname "$0")/.."

folder=tests/clients
stamp=$folder/node_modules/.hansa-lock

cmp -s "$folder/package-lock.json" "$stamp" && exit 0

for program in node npm; do
    command -v $program >/dev/null || { scripts/debian_packages.sh nodejs npm && break; }
done
printf 'setup: installing the foreign clients (%s/package-lock.json)\n' "$folder"
npm ci --prefix "$folder" --ignore-scripts --prefer-offline --no-audit --no-fund --loglevel=error >&2
cp "$folder/package-lock.json" "$stamp"
