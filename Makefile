# `make demo` and `make test` do all their own set-up; run again, it takes no time.

SHELL := /bin/sh
UV_VERSION := 0.13.9
BIN := .venv/bin
STAMP := .venv/.hansa-setup
CHROMIUM := /usr/bin/chromium
SOFTHSM := /usr/lib/softhsm/libsofthsm2.so
COMETBFT_VERSION := 0.38.25

# What is compiled is kept, also where the environment says otherwise, as many a container's does:
# each process would compile all that it imports, and take twice as long to start.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.PHONY: help setup demo test lint format soak browser strace softhsm java clients peers cometbft \
	verifier try-cometbft

help:  ## show this list
	@sed -n 's/^\([a-z]*\):.*## /  make \1\t/p' Makefile | expand -t 16

setup: $(STAMP)  ## virtual environment, locked dependencies, compiled state machine
	@scripts/compile.sh

$(STAMP): pyproject.toml uv.lock scripts/setup.sh
	@scripts/setup.sh $(UV_VERSION)
	@touch $@

demo: setup  ## one resident's day on a ledger of your own, with console and API
	@$(BIN)/hansa demo

# Three at once, so that one computes while another waits for a disk, a browser or a process.
BESIDE := tests/browser tests/clients tests/fuzz tests/properties tests/simulation tests/unit/reconcile

test: setup browser strace softhsm java clients try-cometbft  ## every test
	@$(BIN)/pytest tests/integration >.venv/integration.log 2>&1 & integration=$$!; \
	{ $(BIN)/pytest $(BESIDE) && HANSA_COMPILED=0 $(BIN)/pytest tests/unit/kernel; } \
		>.venv/beside.log 2>&1 & beside=$$!; \
	$(BIN)/pytest --ignore=tests/integration $(BESIDE:%=--ignore=%); failed=$$?; \
	wait $$beside || failed=1; \
	echo; echo "Beside them ran $(BESIDE), and tests/unit/kernel from source:"; cat .venv/beside.log; \
	wait $$integration || failed=1; \
	echo; echo "And tests/integration, with real processes:"; cat .venv/integration.log; \
	exit $$failed

lint: $(STAMP)  ## style, types, and which package may import which
	@$(BIN)/ruff check
	@$(BIN)/ruff format --check
	@$(BIN)/mypy
	@$(BIN)/lint-imports

format: $(STAMP)  ## put the sources into the one format
	@$(BIN)/ruff check --fix-only --quiet
	@$(BIN)/ruff format

# The second part tries the properties of single modules; of BBS, whose proofs are slow, no more.
soak: setup strace try-cometbft  ## properties, simulations, faults and fuzz with many more examples and seeds
	@HANSA_SOAK=1 $(BIN)/pytest $(wildcard tests/properties tests/simulation tests/fuzz \
		tests/integration/test_faults_*.py tests/integration/test_tutorials.py \
		tests/integration/test_bench_network.py \
		tests/unit/contracts/identity/test_personal_data.py \
		tests/unit/identity/data_integrity/test_quads.py \
		tests/unit/identity/data_integrity/test_terms.py \
		tests/unit/identity/issuer/test_floods.py tests/unit/kernel/test_calendar.py \
		tests/unit/reconcile/stream/test_pair.py \
		tests/unit/node/reconcile/test_store.py \
		tests/unit/risk/evaluation/test_handbook.py \
		tests/unit/risk/evaluation/test_prequential.py \
		tests/unit/risk/features/test_features.py \
		tests/unit/risk/screening/test_screener.py); failed=$$?; \
	HANSA_SOAK=1 $(BIN)/pytest -m hypothesis tests/unit/identity tests/unit/contracts/identity \
		tests/unit/test_shapes.py --ignore-glob='*/bbs*' --ignore-glob='*/test_quads.py' \
		--ignore-glob='*/test_terms.py' || failed=1; \
	exit $$failed

# Where they cannot be installed, the tests that need them are skipped, which fails under CI=true.
browser: setup  ## Debian's Chromium, for the tests of the console
	@test -x $(CHROMIUM) || scripts/debian_packages.sh chromium || \
		echo "setup: going on without Chromium: browser tests will be skipped"

strace: setup  ## strace, with which tests kill real processes at chosen system calls
	@command -v strace >/dev/null || scripts/debian_packages.sh strace || \
		echo "setup: going on without strace: the tests that need it will be skipped"

softhsm: setup  ## SoftHSM2, with which tests keep keys in a hardware security module
	@test -e $(SOFTHSM) || scripts/debian_packages.sh softhsm2 || \
		echo "setup: going on without SoftHSM2: the tests that need it will be skipped"

java: setup  ## Java, in which Spark runs, which tests reconcile on
	@command -v java >/dev/null || scripts/debian_packages.sh openjdk-17-jre-headless || \
		echo "setup: going on without Java: the tests that need it will be skipped"

clients: setup  ## other people's wallets and cryptosuites, from npm, which are tried against ours
	@scripts/clients.sh || \
		echo "setup: going on without foreign clients: the tests that need them will be skipped"

peers: setup  ## others' software, which hansa bench reconcile and risk measure beside themselves
	@scripts/peers.sh

cometbft: setup  ## CometBFT, the engine of a network of several institutions, built with Go
	@scripts/cometbft.sh $(COMETBFT_VERSION)
	@scripts/verifier.sh || echo "setup: going on without it: signatures are verified one by one"

verifier: setup  ## a faster verifier of many signatures, built with Go; make cometbft makes it, too
	@scripts/verifier.sh

try-cometbft: setup
	@scripts/cometbft.sh $(COMETBFT_VERSION) || \
		echo "setup: going on without CometBFT: the tests that need it will be skipped"
	@scripts/verifier.sh || \
		echo "setup: going on without the batch verifier: the tests that need it will be skipped"
