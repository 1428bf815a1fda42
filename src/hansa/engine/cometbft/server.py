"""The socket on which CometBFT asks: frames in, requests to the application, answers out.

A frame is a length as unsigned LEB128, then a message of protocol buffers. CometBFT opens four
connections (consensus, mempool, queries, snapshots), each answered in order. It does not keep them
apart from one another, so requests that read or change what a block is being made of take turns.

Source: CometBFT v0.38, spec/abci/abci++_client_server.md; abci/server/socket_server.go.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Awaitable, Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from google.protobuf.message import DecodeError

from hansa.engine.cometbft.protocol.abci_pb2 import (
    Request,
    Response,
    ResponseEcho,
    ResponseException,
    ResponseFlush,
)
from hansa.kernel.errors import Corrupt, HansaError, Invalid, InvalidCode, Unavailable

FRAME_BYTES_MAX = 128 << 20
"""Far above the largest block; a longer frame is not of CometBFT."""
HOLD_PAUSE_MS = 5
_LENGTH_BYTES_MAX = 5
_LOW_BITS, _MORE = 0x7F, 0x80
"""Of each byte of a length: seven bits of it, and whether another byte follows."""
_BESIDE = frozenset({"info", "query", "list_snapshots", "load_snapshot_chunk", "extend_vote"})
"""Read what is committed, or nothing: they wait for no block."""


class Server:
    """Answers CometBFT on a unix socket, until a request fails."""

    def __init__(self, application: object) -> None:
        self.application = application
        """Has a coroutine method for each request, by its name in ABCI; another may be put in its
        place between two requests."""
        self._turn = asyncio.Lock()
        self._failed: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._server: asyncio.Server | None = None
        self._connections: set[asyncio.Task[None]] = set()

    async def start(self, path: Path) -> None:
        """Listen on the socket `path`, for this user alone.

        Raises:
          Unavailable: the system makes no socket there.
        """
        listener = socket.socket(socket.AF_UNIX)
        try:
            _bind(listener, path)
        except OSError as error:
            listener.close()
            raise Unavailable(
                f"cannot listen on {path}: {error.strerror}", path=str(path)
            ) from None
        self._server = await asyncio.start_unix_server(self._accept, sock=listener)

    async def watch(self) -> None:
        """Wait until a request fails.

        Raises:
          HansaError: what it failed of. CometBFT was told, and has stopped.
        """
        await asyncio.shield(self._failed)

    async def hold(self, is_ready: Callable[[], bool]) -> None:
        """Let no request have its turn any more, once one has ended after which `is_ready`.

        So CometBFT can be stopped and another one started, which `resume` answers.
        """
        while True:
            await self._turn.acquire()
            if is_ready():
                return
            self._turn.release()
            await asyncio.sleep(HOLD_PAUSE_MS / 1_000)

    async def resume(self) -> None:
        """Forget what was asked before, of a CometBFT that has ended; answer again."""
        await self._hang_up()
        self._turn.release()

    async def close(self) -> None:
        """Listen no more and close the connections."""
        if self._server is not None:
            self._server.close()
        await self._hang_up()
        if self._failed.done() and not self._failed.cancelled():
            self._failed.exception()  # seen
        self._failed.cancel()

    async def _hang_up(self) -> None:
        for task in self._connections:
            task.cancel()
        await asyncio.gather(*self._connections, return_exceptions=True)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None  # noqa: S101 - the library runs this as one
        self._connections.add(task)
        task.add_done_callback(_report)
        failure: HansaError | None = Corrupt("a fault of this program: its log says more")
        try:
            await self._answer_all(reader, writer)
            failure = None
        except (ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            failure = None  # CometBFT has gone: whoever watches its process says why
        except HansaError as error:
            failure = error
        finally:
            if failure is not None:
                self._fail(failure)
            self._connections.discard(task)
            writer.close()
            with suppress(ConnectionError):
                await writer.wait_closed()

    async def _answer_all(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer one connection's requests until it ends."""
        while (raw := await read_frame(reader)) is not None:
            try:
                request = Request.FromString(raw)
            except DecodeError:
                raise _foreign("a message that is none of ABCI 2.0") from None
            try:
                answer = await self._answer(request)
            except HansaError as error:
                writer.write(frame(Response(exception=ResponseException(error=error.message))))
                with suppress(ConnectionError):
                    await writer.drain()
                raise
            writer.write(frame(answer))
            await writer.drain()

    async def _answer(self, request: Request) -> Response:
        name = request.WhichOneof("value")
        if name is None:
            raise _foreign("a request of a kind that ABCI 2.0 does not have")
        if name == "echo":
            return Response(echo=ResponseEcho(message=request.echo.message))
        if name == "flush":  # every answer is written at once
            return Response(flush=ResponseFlush())
        handle: Callable[[Any], Awaitable[Any]] = getattr(self.application, name)
        argument = getattr(request, name)
        if name in _BESIDE:
            answer = await handle(argument)
        else:
            async with self._turn:
                answer = await handle(argument)
        return Response(**{name: answer})

    def _fail(self, error: HansaError) -> None:
        if not self._failed.done():
            self._failed.set_exception(error)


def _report(task: asyncio.Task[None]) -> None:
    error = None if task.cancelled() else task.exception()
    if error is not None:
        fault = {"message": "a request of CometBFT met a fault", "exception": error}
        task.get_loop().call_exception_handler(fault)


def _bind(listener: socket.socket, path: Path) -> None:
    path.unlink(missing_ok=True)  # left by a process that was killed; the folder is locked
    listener.bind(str(path))
    path.chmod(0o600)


def frame(message: Response | Request) -> bytes:
    """Put a message into a frame."""
    raw = message.SerializeToString()
    length = len(raw)
    prefix = bytearray()
    while length > _LOW_BITS:
        prefix.append(length & _LOW_BITS | _MORE)
        length >>= 7
    prefix.append(length)
    return bytes(prefix) + raw


async def read_frame(reader: asyncio.StreamReader) -> bytes | None:
    """Read what a frame holds; None at the end.

    Raises:
      Invalid: it is longer than any of CometBFT's.
      IncompleteReadError: the connection ended within.
    """
    length = shift = 0
    for number in range(_LENGTH_BYTES_MAX):
        byte = await reader.read(1) if number == 0 else await reader.readexactly(1)
        if not byte:
            return None
        length |= (byte[0] & _LOW_BITS) << shift
        shift += 7
        if byte[0] < _MORE:
            break
    else:
        raise _foreign("a length of more than five bytes")
    if length > FRAME_BYTES_MAX:
        raise _foreign(f"a frame of {length} bytes")
    return await reader.readexactly(length)


def _foreign(what: str) -> Invalid:
    return Invalid(
        InvalidCode.MALFORMED,
        f"CometBFT's socket brought {what}: only CometBFT v0.38 may connect there",
    )
