"""CometBFT as a real child process: what we write it takes, and it ends when we do."""

import asyncio
import json
import os
import signal
import subprocess
import sys
import textwrap
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import pytest
from tests.ports import find_ports

from hansa.engine.cometbft.child.binary import find_binary
from hansa.engine.cometbft.child.process import BoundedLog, CometProcess
from hansa.engine.cometbft.configuration import (
    Configuration,
    Validator,
    write_configuration,
    write_genesis,
)
from hansa.engine.cometbft.home import CometHome, CometKey
from hansa.kernel.errors import Corrupt, Unavailable

WITHIN_S = 120
TIME_MS = 1_764_000_000_000
TOLD = "p2p:debug,state:info,rpc-server:info,*:error"
ANSWERS = "Starting RPC HTTP server"


def make_homes(folder, count, application="kvstore", **changed):
    """Homes of validators that know one another."""
    homes = [CometHome(folder / f"n{n}") for n in range(count)]
    keys = [(CometKey.generate(), CometKey.generate()) for _ in homes]
    ports = find_ports(count)
    addresses = [
        f"{node.address.hex()}@127.0.0.1:{port}"
        for (node, _), port in zip(keys, ports, strict=True)
    ]
    validators = [Validator(key.public_key, 10) for _, key in keys]
    for home, key, port in zip(homes, keys, ports, strict=True):
        home.create_keys(*key)
        write_genesis(home, "hansa-test", TIME_MS, validators, 1_000_000)
        peers = tuple(each for each in addresses if not each.endswith(f":{port}"))
        configuration = Configuration(
            listen=f"127.0.0.1:{port}", peers=peers, log_level=TOLD, **changed
        )
        write_configuration(home, configuration, home.path.name, 1_000_000, application=application)
    return homes


def make_pipe(home):
    """Have its log be a pipe, so that a test can wait for what CometBFT says."""
    home.make_folders()
    os.mkfifo(home.log_path, 0o600)
    return os.fdopen(os.open(home.log_path, os.O_RDONLY | os.O_NONBLOCK), "rb", buffering=0)


@asynccontextmanager
async def read_log(pipe):
    reader = asyncio.StreamReader(limit=1 << 24)
    protocol = asyncio.StreamReaderProtocol(reader)
    transport, _ = await asyncio.get_running_loop().connect_read_pipe(lambda: protocol, pipe)
    yield reader
    transport.close()


async def hear(reader, *words):
    """Read what it says until there was a line with each word, in their order."""
    async with asyncio.timeout(WITHIN_S):
        for word in words:
            while word.encode() not in (line := await reader.readline()):
                assert line, f"it ended, and never said {word}"


async def ask(home, path):
    """Ask a node over its socket."""
    reader, writer = await asyncio.open_unix_connection(home.rpc_path)
    writer.write(f"GET {path} HTTP/1.0\r\n\r\n".encode())
    async with asyncio.timeout(WITHIN_S):
        raw = await reader.read()
    writer.close()
    return json.loads(raw.partition(b"\r\n\r\n")[2])["result"]


async def run_four(homes):
    async with AsyncExitStack() as stack:
        logs = [await stack.enter_async_context(read_log(make_pipe(home))) for home in homes]
        for home in homes:
            process = await CometProcess.start(find_binary(), home)
            stack.push_async_callback(process.stop)
        for log in logs:
            await hear(log, *["Added peer"] * 3)
        sent = await ask(homes[0], '/broadcast_tx_commit?tx="a=b"')
        assert sent["check_tx"]["code"] == 0
        for log in logs:
            await hear(log, "height=2 block_app_hash")
        return [(await ask(home, "/net_info"), await ask(home, "/status")) for home in homes]


def test_four_nodes_agree_with_the_files_that_we_write(cometbft, tmp_path):
    homes = make_homes(tmp_path, 4)
    answers = asyncio.run(run_four(homes))
    ids = {home.load_node_key().address.hex() for home in homes}
    for home, (info, status) in zip(homes, answers, strict=True):
        own = home.load_node_key().address.hex()
        assert status["node_info"]["id"] == own
        assert status["node_info"]["network"] == "hansa-test"
        assert status["node_info"]["moniker"] == home.path.name
        assert status["node_info"]["other"]["tx_index"] == "off"
        assert status["node_info"]["other"]["rpc_address"] == f"unix://{home.rpc_path}"
        assert {peer["node_info"]["id"] for peer in info["peers"]} == ids - {own}
        key = home.load_consensus_key()
        assert status["validator_info"]["address"] == key.address.hex().upper()
        assert status["validator_info"]["voting_power"] == "10"


def test_its_own_end_is_told_with_its_last_words(cometbft, tmp_path):
    (home,) = make_homes(tmp_path, 1)
    home.genesis_path.write_text("{")

    async def run():
        process = await CometProcess.start(find_binary(), home)
        await process.watch()

    with pytest.raises(Unavailable, match=r"exit code 1.*genesis.*cometbft\.log"):
        asyncio.run(run())


def test_a_kill_from_outside_is_told(cometbft, tmp_path):
    (home,) = make_homes(tmp_path, 1)

    async def run():
        async with read_log(make_pipe(home)) as log:
            process = await CometProcess.start(find_binary(), home)
            await hear(log, ANSWERS)
            os.kill(process.pid, signal.SIGKILL)
            await process.watch()

    with pytest.raises(Unavailable, match="by signal 9"):
        asyncio.run(run())


def test_it_gets_no_secret_from_our_environment(monkeypatch, tmp_path):
    program = make_program(tmp_path / "cometbft", "import os; print(*os.environ, flush=True)")
    home = CometHome(tmp_path / "home")
    home.make_folders()
    for name in ("HANSA_PASSPHRASE", "CMT_CONSENSUS_TIMEOUT_PROPOSE", "GOMAXPROCS"):
        monkeypatch.setenv(name, "1")

    async def run():
        process = await CometProcess.start(program, home)
        with pytest.raises(Unavailable, match="exit code 0"):
            await process.watch()

    asyncio.run(run())
    names = home.log_path.read_text().split()
    assert {"CMT_CONSENSUS_TIMEOUT_PROPOSE", "GOMAXPROCS", "PATH"} <= set(names)
    assert not [name for name in names if name.startswith("HANSA")]


def test_one_that_does_not_stop_is_killed(tmp_path):
    program = make_program(
        tmp_path / "cometbft",
        """\
        import signal
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        print("ready", flush=True)
        while True:
            signal.pause()
        """,
    )
    home = CometHome(tmp_path / "home")

    async def run():
        async with read_log(make_pipe(home)) as log:
            process = await CometProcess.start(program, home)
            watching = asyncio.create_task(process.watch())
            await hear(log, "ready")
            await process.stop(within_s=0.2)
            await watching

    asyncio.run(run())


def make_program(path, body):
    """Make a program that stands in for CometBFT."""
    path.write_text(f"#!{sys.executable}\n{textwrap.dedent(body)}")
    path.chmod(0o700)
    return path


async def watch(program):
    """Watch a CometBFT to its end."""
    process = await CometProcess.start(program, CometHome(program.parent / "home"))
    await process.watch()


async def signal_when_it_says(number, program, *words):
    """Watch a CometBFT to its end; whenever its log has the next words, send it a signal."""
    home = CometHome(program.parent / "home")
    async with read_log(make_pipe(home)) as log:
        process = await CometProcess.start(program, home)
        watching = asyncio.create_task(process.watch())
        for word in words:
            await hear(log, word)
            os.kill(process.pid, number)
        await watching


def test_one_that_votes_no_more_is_ended_and_words_of_peers_do_not_end_it(tmp_path):
    program = make_program(
        tmp_path / "cometbft",
        """\
        import signal
        signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGUSR1])
        print('I[2026-11-29|08:27:40.707] peer says  moniker="CONSENSUS FAILURE!!! "')
        print('E[2026-11-29|08:27:40.707] peer says E[2026] CONSENSUS FAILURE!!! ')
        print('E[2026-11-29|08:27:40.707] Error in validation         module=blocksync height=5 '
              'hash=' + 64 * '5' + ' err="wrong signature (#1): 55"', flush=True)
        for number in range(3):
            print("it lives", number, flush=True)
            signal.sigwait([signal.SIGUSR1])
        print("E[2026-11-29|08:27:41.000] CONSENSUS FAILURE!!!   module=consensus", flush=True)
        while True:
            signal.pause()
        """,
    )

    said = [f"it lives {number}" for number in range(3)]
    with pytest.raises(Unavailable, match=r"ended as its consensus failed.*08:27:41\.000"):
        asyncio.run(signal_when_it_says(signal.SIGUSR1, program, *said))


def test_one_whose_state_the_others_contradict_is_damaged_whatever_it_says_after_that(tmp_path):
    program = make_program(
        tmp_path / "cometbft",
        """\
        import signal
        signed = ('E[2026-11-29|08:27:41.000] Error in validation         module=blocksync '
                  'height=5 hash=' + 64 * '5' + ' err="wrong Block.Header.AppHash.  Expected 55"')
        hung_up = 'E[2026-11-29|08:27:41.001] Stopping peer for error     module=p2p'
        failed = "E[2026-11-29|08:27:41.002] CONSENSUS FAILURE!!!   module=consensus"
        print(signed, *[hung_up] * 5, failed, sep="\\n", flush=True)
        while True:
            signal.pause()
        """,
    )

    with pytest.raises(Corrupt, match="state is not the one that the others signed") as told:
        asyncio.run(watch(program))
    assert "wrong Block.Header.AppHash. Expected 55" in told.value.message
    assert "hansa --version" in told.value.message
    assert str(tmp_path / "home" / "cometbft.log") in told.value.message


def test_a_full_disk_is_told_in_words_and_without_a_stack(tmp_path):
    program = make_program(
        tmp_path / "cometbft",
        """\
        import signal
        print("I[2026-11-29|08:27:40.000] it begins")
        print('E[2026-11-29|08:27:40.500] prevote step: consensus deems this block invalid; '
              'prevoting nil module=consensus err="wrong Block.Header.AppHash.  Expected 55"')
        print('E[2026-11-29|08:27:41.000] CONSENSUS FAILURE!!!   module=consensus err="failed to '
              'write to consensus WAL: write wal: no space left on device" stack="goroutine 1 ['
              'running]:' + 500 * '\\\\n\\\\tmain' + '"', flush=True)
        while True:
            signal.pause()
        """,
    )

    with pytest.raises(Unavailable, match="the disk is full: free some space") as told:
        asyncio.run(watch(program))
    assert "write wal: no space left on device" in told.value.message
    assert "goroutine" not in told.value.message
    assert "differs from theirs" not in told.value.message, "a proposer lied, and that ended nobody"


def test_one_that_is_killed_is_told_so_without_words_of_before(tmp_path):
    program = make_program(
        tmp_path / "cometbft",
        """\
        import signal
        print("E[2026-11-29|08:27:41.000] a peer hung up", flush=True)
        while True:
            signal.pause()
        """,
    )

    with pytest.raises(Unavailable, match="it was killed by somebody") as told:
        asyncio.run(signal_when_it_says(signal.SIGKILL, program, "a peer hung up"))
    assert "hung up" not in told.value.message


def test_a_port_that_is_taken_is_told_with_the_setting_that_names_it(tmp_path):
    program = make_program(
        tmp_path / "cometbft",
        """\
        print("ERROR: failed to start node: listen tcp 127.0.0.1:26606: bind: address already in "
              "use", flush=True)
        raise SystemExit(1)
        """,
    )

    told = r"cannot listen on 127\.0\.0\.1:26606 \(address already in use\): .* cometbft\.listen in"
    with pytest.raises(Unavailable, match=told):
        asyncio.run(watch(program))


def test_damaged_data_are_named_with_the_page_that_says_what_to_do(tmp_path):
    program = make_program(
        tmp_path / "cometbft",
        """\
        print('E[2026-11-29|08:27:41.000] peer says err="corruption"')
        print("panic: leveldb/table: corruption on data-block (pos=1): checksum mismatch")
        print(flush=True)
        raise SystemExit(2)
        """,
    )
    told = r"as .*/data is damaged: keep it, and do what docs/how-to/run-a-network\.md says"
    with pytest.raises(Unavailable, match=told):
        asyncio.run(watch(program))


PARENT = """
import asyncio, sys
from pathlib import Path
from hansa.engine.cometbft.child.binary import find_binary
from hansa.engine.cometbft.home import CometHome
from hansa.engine.cometbft.child.process import CometProcess

async def run():
    process = await CometProcess.start(find_binary(), CometHome(Path(sys.argv[1])))
    print(process.pid, flush=True)
    await process.watch()

asyncio.run(run())
"""


async def listen(said):
    async with read_log(said) as log:
        await hear(log, ANSWERS)


def test_it_dies_with_a_parent_that_is_killed(cometbft, tmp_path):
    (home,) = make_homes(tmp_path, 1)
    said = make_pipe(home)
    with subprocess.Popen(
        [sys.executable, "-c", PARENT, str(home.path)], stdout=subprocess.PIPE
    ) as parent:
        pid = int(parent.stdout.readline())
        asyncio.run(listen(said))
        descriptor = os.pidfd_open(pid)
        parent.kill()

    async def wait():
        ended = asyncio.Event()
        asyncio.get_running_loop().add_reader(descriptor, ended.set)
        async with asyncio.timeout(WITHIN_S):
            await ended.wait()

    asyncio.run(wait())
    os.close(descriptor)
    assert not Path(f"/proc/{pid}/exe").exists()


def test_the_log_keeps_within_its_bound(tmp_path):
    log = BoundedLog(tmp_path / "log", bytes_max=100)
    for number in range(50):
        log.write(b"%019d\n" % number)
    log.close()
    kept = [path.read_bytes() for path in (log.older_path, tmp_path / "log")]
    assert all(len(each) == 100 for each in kept)
    assert b"".join(kept).split() == [b"%019d" % number for number in range(40, 50)]
    log.write(b"lost, as on a full disk")
