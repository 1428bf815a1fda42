"""The peer: durable transfers of a PostgreSQL server of our own, where its programs are installed.

One transfer is two updates and an insert in one transaction, among as many accounts as the
ledger's run has wallets; no signatures, no state tree. The server lives in a temporary folder
and listens on a socket there.

Source: PostgreSQL documentation, pgbench (custom scripts).
"""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Any

SECONDS = 10
CLIENTS = 8
THREADS = 2
PLACES = ("/usr/lib/postgresql/*/bin", "/usr/local/pgsql/bin")
SERVICE_USER = "postgres"

TABLES = """
CREATE TABLE wallet (id integer PRIMARY KEY, balance bigint NOT NULL CHECK (balance >= 0));
CREATE TABLE payment (id bigserial PRIMARY KEY, payer integer, payee integer, amount bigint);
INSERT INTO wallet SELECT id, 1000000 FROM generate_series(1, {count}) AS id;
"""
TRANSFER = r"""
\set payer random(1, {count})
\set payee random(1, {count})
\set amount random(1, 100)
BEGIN;
UPDATE wallet SET balance = balance - :amount WHERE id = least(:payer, :payee);
UPDATE wallet SET balance = balance + :amount WHERE id = greatest(:payer, :payee);
INSERT INTO payment (payer, payee, amount) VALUES (:payer, :payee, :amount);
COMMIT;
"""


def measure_postgresql(count: int) -> int | None:
    """Measure transfers a second among `count` accounts; None where no server is installed."""
    programs = _find_programs()
    if programs is None:
        return None
    user = _choose_user()
    folder = Path(tempfile.mkdtemp(prefix="hansa-pg-"))
    try:
        if user is not None:
            shutil.chown(folder, user)
        return _measure(programs, folder, user, count)
    except (OSError, subprocess.CalledProcessError):
        return None
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _find_programs() -> Path | None:
    found = shutil.which("pg_ctl")
    folders = [Path(found).parent] if found else []
    for place in PLACES:
        folders += sorted(Path("/").glob(place.lstrip("/")))
    needed = ("initdb", "pg_ctl", "pgbench", "psql")
    return next((it for it in folders if all((it / name).exists() for name in needed)), None)


def _choose_user() -> str | None:
    """The server refuses to run as root: then it runs as the user that its package made."""
    if os.geteuid():
        return None
    return SERVICE_USER if any(it.pw_name == SERVICE_USER for it in pwd.getpwall()) else None


def _measure(programs: Path, folder: Path, user: str | None, count: int) -> int | None:
    data, script, tables = folder / "data", folder / "transfer.sql", folder / "tables.sql"
    script.write_text(TRANSFER.format(count=count))
    tables.write_text(TABLES.format(count=count))
    for file in (script, tables):
        file.chmod(0o644)
    options: dict[str, Any] = {
        "user": user,
        "cwd": folder,
        "check": True,
        "stdout": subprocess.PIPE,
        "stderr": subprocess.DEVNULL,
        "text": True,
        "timeout": 120,
    }

    def run(name: str, *arguments: object) -> str:
        command = [str(programs / name), *map(str, arguments)]
        return str(subprocess.run(command, **options).stdout)  # noqa: S603, PLW1510 - check is in options

    run("initdb", "-D", data, "-U", "bench", "--no-sync", "-A", "trust")
    listen = f"-c listen_addresses='' -k {folder}"
    run("pg_ctl", "-D", data, "-w", "-l", folder / "log", "-o", listen, "start")
    try:
        connection = ("-h", folder, "-U", "bench")
        run("psql", *connection, "-q", "-f", tables, "postgres")
        load = ("-n", "-c", CLIENTS, "-j", THREADS, "-T", SECONDS, "-f", script)
        told = run("pgbench", *connection, *load, "postgres")
    finally:
        run("pg_ctl", "-D", data, "-m", "immediate", "stop")
    for line in told.splitlines():
        if line.startswith("tps = "):
            return round(float(line.split()[2]))
    return None
