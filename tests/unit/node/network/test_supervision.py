"""Supervision: nodes are started, started again, left or stopped, and each of it is told."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from hansa.engine.storage import FileStorage
from hansa.kernel.errors import NotFound, Unavailable
from hansa.node.home import Home
from hansa.node.network.folders import NodeFolder
from hansa.node.network.logs import HELD, End, EndFile, read_end
from hansa.node.network.stopping import find_owner, start_node, stop_network, stop_node
from hansa.node.network.supervision import Event, Happening, Supervisor
from hansa.node.settings import Settings

WITHIN_S = 120
ANSWERING = """
    import signal, sys
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    print('{"url": "http://here", "height": 7}', flush=True)
    signal.pause()
"""
MISSING = """
    import sys
    print('{"error": "NotFound", "message": "there is no key"}', file=sys.stderr)
    sys.exit(4)
"""
UNABLE = """
    import sys
    print('{"error": "Unavailable", "message": "the disk is full"}', file=sys.stderr)
    sys.exit(5)
"""
SECOND_TIME = """
    import pathlib, sys
    once = pathlib.Path(__file__).with_suffix(".once")
    if not once.exists():
        once.touch()
        print("hansa: the port is taken", file=sys.stderr)
        sys.exit(5)
"""
RUBBISH = """
    import sys
    for output in (sys.stdout, sys.stderr):
        output.buffer.write(b'{"message": "\\xc1"}\\n' + b"[" * 9_000)
    sys.exit(4)
"""
STUBBORN = """
    import signal
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    print('{"url": "http://here", "height": 7}', flush=True)
    while True:
        signal.pause()
"""


def make_nodes(folder, **scripts):
    nodes = []
    for name, text in scripts.items():
        home = Home(folder / name)
        home.path.mkdir()
        (home.path / "node.py").write_text(textwrap.dedent(text))
        nodes.append(NodeFolder(name, home, Settings()))
    return nodes


def build_command(node):
    return [sys.executable, str(node.home.path / "node.py")]


def supervise(folder, nodes, is_enough, build=build_command):
    """Run nodes until enough has happened; returns all that was told."""
    told = []

    async def run():
        stopped = asyncio.Event()

        def tell(event: Event) -> None:
            told.append(event)
            if is_enough(told):
                stopped.set()

        supervisor = Supervisor(folder, nodes, build, tell, pauses_s=(0.01,))
        async with asyncio.timeout(WITHIN_S):
            await supervisor.run(stopped)

    asyncio.run(run())
    return told


def list_events(told, node):
    return [event.what for event in told if event.node == node]


def test_one_node_is_stopped_and_started_while_the_others_go_on(tmp_path):
    first, _ = nodes = make_nodes(tmp_path, a=ANSWERING, b=ANSWERING)
    once = [Happening.STARTED, Happening.ANSWERS]

    def act(told):
        happened = list_events(told, "a")
        if happened[-1:] == [Happening.HELD]:
            assert read_end(first.end_path).how == HELD
            start_node(first)
        elif happened == list_events(told, "b") == once:
            first.held_path.touch()
        return happened.count(Happening.ANSWERS) == 2

    told = supervise(tmp_path, nodes, act)
    assert list_events(told, "a") == [*once, Happening.HELD, *once, Happening.STOPPED]
    assert list_events(told, "b") == [*once, Happening.STOPPED]


def test_one_node_of_a_network_that_runs_is_stopped(tmp_path):
    (node,) = make_nodes(tmp_path, a=ANSWERING)
    with pytest.raises(NotFound, match="nothing runs the network"):
        stop_node(node, WITHIN_S)
    with run_parent(tmp_path) as parent:
        pid = int(parent.stdout.readline().split()[1])
        assert parent.stdout.readline().startswith("answers")
        stop_node(node, WITHIN_S)
        assert not Path(f"/proc/{pid}").exists()
        told = read_end(node.end_path).describe(node.home.path, 0, is_supervised=True)
        assert told.endswith(f"start it by hansa network start --dir {tmp_path} --node a")
        stop_network(tmp_path, WITHIN_S)
    start_node(node)
    with pytest.raises(NotFound, match="was not stopped by"):
        start_node(node)


def test_all_answer_and_are_stopped_in_order(tmp_path):
    nodes = make_nodes(tmp_path, a=ANSWERING, b=ANSWERING)
    told = supervise(
        tmp_path, nodes, lambda told: sum(e.what is Happening.ANSWERS for e in told) == 2
    )
    for name in ("a", "b"):
        expected = [Happening.STARTED, Happening.ANSWERS, Happening.STOPPED]
        assert list_events(told, name) == expected
    assert "answers at http://here/, block 7" in [event.text for event in told]


def test_one_that_ends_is_started_again_and_told(tmp_path):
    nodes = make_nodes(tmp_path, a=textwrap.dedent(SECOND_TIME) + textwrap.dedent(ANSWERING))
    told = supervise(tmp_path, nodes, lambda told: told[-1].what is Happening.ANSWERS)
    assert [event.what for event in told] == [
        Happening.STARTED,
        Happening.ENDED,
        Happening.STARTED,
        Happening.ANSWERS,
        Happening.STOPPED,
    ]
    assert told[1].text == (
        "ended with exit code 5: hansa: the port is taken. It starts again in 0.01 s"
    )
    assert nodes[0].log_path.read_text() == "hansa: the port is taken\n"
    assert read_end(nodes[0].end_path) is None, "it answers"


def test_one_that_cannot_be_started_is_tried_again_while_others_go_on(tmp_path):
    nodes = make_nodes(tmp_path, a=ANSWERING, b=ANSWERING)
    tries = []

    def build(node):
        tries.append(node.name)
        too_long = [] if node.name == "b" or tries.count("a") > 1 else ["x" * (1 << 20)]
        return [*build_command(node), *too_long]

    told = supervise(
        tmp_path,
        nodes,
        lambda told: sum(e.what is Happening.ANSWERS for e in told) == 2,
        build,
    )
    expected = [Happening.STARTED, Happening.ANSWERS, Happening.STOPPED]
    assert list_events(told, "a") == [Happening.ENDED, *expected]
    assert list_events(told, "b") == expected
    assert [event.text for event in told if event.what is Happening.ENDED] == [
        "cannot be started: Argument list too long. It starts again in 0.01 s"
    ]


def test_one_that_is_killed_is_started_again(tmp_path):
    def kill_once(told):
        if told[-1].what is Happening.ANSWERS and len(told) == 2:
            os.kill(int(told[0].text.split()[-1]), signal.SIGKILL)
        return len(told) > 3

    told = supervise(tmp_path, make_nodes(tmp_path, a=ANSWERING), kill_once)
    assert told[2].text == "ended by signal 9. It starts again in 0.01 s"


@pytest.mark.parametrize("code", [2, 4, 70])
def test_one_that_somebody_must_look_at_is_left_while_others_go_on(tmp_path, code):
    nodes = make_nodes(tmp_path, a=MISSING.replace("exit(4)", f"exit({code})"), b=ANSWERING)
    enough = {Happening.LEFT, Happening.ANSWERS}
    told = supervise(tmp_path, nodes, lambda told: enough <= {event.what for event in told})
    assert list_events(told, "a") == [Happening.STARTED, Happening.LEFT]
    assert f"exit code {code}: there is no key. It is not started again" in next(
        event.text for event in told if event.what is Happening.LEFT
    )
    assert read_end(nodes[0].end_path) == End(f"ended with exit code {code}: there is no key", None)


def test_one_that_says_rubbish_is_left_like_any_other(tmp_path):
    nodes = make_nodes(tmp_path, a=RUBBISH)
    with pytest.raises(Unavailable, match="no node runs any more"):
        supervise(tmp_path, nodes, lambda _: False)
    assert read_end(nodes[0].end_path).how.startswith("ended with exit code 4: [[[")


def test_one_that_ends_again_and_again_says_why_and_when_it_starts(tmp_path):
    nodes = make_nodes(tmp_path, a=UNABLE)
    ends = []

    def is_enough(told):
        ends.append(read_end(nodes[0].end_path))
        return told[-1].what is Happening.ENDED and len(told) > 2

    supervise(tmp_path, nodes, is_enough)
    how = "ended with exit code 5: the disk is full"
    assert [end and end.how for end in ends] == [None, how, how, how]
    end = End(how, 9_000)
    assert end.describe(tmp_path, 1_500, is_supervised=True) == f"{how}; it starts again in 8 s"
    assert end.describe(tmp_path, 1_500, is_supervised=False) == how


def test_an_end_is_kept_in_the_room_it_was_given(tmp_path):
    file = EndFile(tmp_path / "ended.json")
    size = (tmp_path / "ended.json").stat().st_size
    file.write(End("\x00" * 99_999, None))
    assert (tmp_path / "ended.json").stat().st_size == size
    assert read_end(tmp_path / "ended.json").how.startswith("\x00")


def test_when_all_were_left_there_is_nothing_to_wait_for(tmp_path):
    with pytest.raises(Unavailable, match="no node runs any more"):
        supervise(tmp_path, make_nodes(tmp_path, a=MISSING, b=MISSING), lambda _: False)


def test_a_network_is_run_by_one_process_at_a_time(tmp_path):
    other = FileStorage(tmp_path)
    other.lock()
    with pytest.raises(Unavailable, match="in use by process"):
        supervise(tmp_path, make_nodes(tmp_path, a=ANSWERING), lambda _: False)
    assert find_owner(tmp_path) == os.getpid()
    other.unlock()
    assert find_owner(tmp_path) is None


PARENT = """
import asyncio, sys
from pathlib import Path
from hansa.node.home import Home
from hansa.node.network.folders import NodeFolder
from hansa.node.network.supervision import Supervisor
from hansa.node.running import stopped_by_signals
from hansa.node.settings import Settings

folder = Path(sys.argv[1])
node = NodeFolder("a", Home(folder / "a"), Settings())

async def run():
    supervisor = Supervisor(
        folder,
        [node],
        lambda node: [sys.executable, str(node.home.path / "node.py")],
        lambda event: print(event.what, event.text.split()[-1], flush=True),
    )
    with stopped_by_signals() as stopped:
        await supervisor.run(stopped)

asyncio.run(run())
"""


def run_parent(folder):
    return subprocess.Popen(
        [sys.executable, "-c", PARENT, str(folder)], stdout=subprocess.PIPE, text=True
    )


def test_a_stop_from_elsewhere_stops_all(tmp_path):
    make_nodes(tmp_path, a=ANSWERING)
    with run_parent(tmp_path) as parent:
        pid = int(parent.stdout.readline().split()[1])
        assert parent.stdout.readline().startswith("answers")
        assert stop_network(tmp_path, WITHIN_S) == parent.pid
        assert parent.stdout.readline() == "stopped stopped\n"
    assert parent.returncode == 0
    assert not Path(f"/proc/{pid}").exists()
    with pytest.raises(NotFound, match="nothing runs the network"):
        stop_network(tmp_path, WITHIN_S)


def test_nodes_stop_when_what_runs_them_is_killed(tmp_path):
    make_nodes(tmp_path, a=ANSWERING)
    with run_parent(tmp_path) as parent:
        descriptor = os.pidfd_open(int(parent.stdout.readline().split()[1]))
        assert parent.stdout.readline().startswith("answers")
        parent.kill()

    async def wait():
        ended = asyncio.Event()
        asyncio.get_running_loop().add_reader(descriptor, ended.set)
        async with asyncio.timeout(WITHIN_S):
            await ended.wait()

    asyncio.run(wait())
    os.close(descriptor)


def test_what_does_not_stop_in_time_is_told(tmp_path):
    make_nodes(tmp_path, a=STUBBORN)
    with run_parent(tmp_path) as parent:
        pid = int(parent.stdout.readline().split()[1])
        assert parent.stdout.readline().startswith("answers")
        with pytest.raises(Unavailable, match=f"process {parent.pid}.*has not ended in 0.1 s"):
            stop_network(tmp_path, 0.1)
        os.kill(pid, signal.SIGKILL)
        assert parent.stdout.readline() == "stopped stopped\n"
    assert parent.returncode == 0
