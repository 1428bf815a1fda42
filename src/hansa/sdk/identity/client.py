"""Asking a node about identity and other things, and believing none of it before it is proved.

found = await client.identity.ask(DidQuestion(address))
found.answer.resolution, found.header.height
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from hansa.kernel.block import Header
from hansa.kernel.encoding import encode
from hansa.kernel.errors import Invalid, InvalidCode
from hansa.kernel.genesis import Network
from hansa.sdk.checks import NewestCheckpoint
from hansa.sdk.identity.proofs import ProvenRows, verify_rows
from hansa.sdk.identity.questions import QUESTIONS_MAX, Question
from hansa.sdk.messages import Run
from hansa.sdk.transport import Transport

T = TypeVar("T")

PATH = "/v1/identity/proofs"
ANSWER_BYTES_MAX = 1 << 25


@dataclass(frozen=True, slots=True)
class Proven(Generic[T]):
    """An answer that was proved."""

    answer: T
    header: Header
    """Of the checkpoint as of which it is so: up to some seconds ago. What came since is not in
    it, and of moments after its `time_ms` it knows nothing."""


class AsyncQuestions:
    """Questions of one kind to one node, whose answers are proved.

    Args:
      transport: of the client.
      get_network: gets the network meant, by whose genesis proofs are verified.
      proven: the newest checkpoint that this node has proved.
      path: under which the node answers them.
    """

    def __init__(
        self,
        transport: Transport,
        get_network: Callable[[], Awaitable[Network]],
        proven: NewestCheckpoint,
        path: str,
    ) -> None:
        self._transport = transport
        self._get_network = get_network
        self._proven = proven
        self._path = path

    async def ask(self, question: Question[T]) -> Proven[T]:
        """Ask one question.

        Raises:
          Invalid: the node's answer proves nothing; or it needs to know who asks.
          NotFound: something that is not shown to this caller: a consent, a wallet's address, an
            agreement.
          Unavailable: the node cannot be reached, or proves an older state than before.
        """
        rows = await self.prove([question])
        return Proven(question.read(rows), rows.header)

    async def ask_many(self, questions: Sequence[Question[T]]) -> list[Proven[T]]:
        """Ask many questions of one kind, in as few requests as may be; raises as `ask`."""
        found: list[Proven[T]] = []
        waiting = [
            questions[start : start + QUESTIONS_MAX]
            for start in range(0, len(questions), QUESTIONS_MAX)
        ][::-1]
        while waiting:
            part = waiting.pop()
            try:
                rows = await self.prove(part)
            except Invalid as error:
                if error.code is not InvalidCode.TOO_MANY or len(part) == 1:
                    raise
                middle = len(part) // 2  # the answers rest on more rows than are proved at once
                waiting += [part[middle:], part[:middle]]
                continue
            found += [Proven(question.read(rows), rows.header) for question in part]
        return found

    async def prove(self, questions: Sequence[Question[T]]) -> ProvenRows:
        """Get the rows on which the answers to at most 256 questions rest; raises as `ask`.

        Any of them can be read from these rows, all as of one checkpoint; so can whatever else
        reads `Rows`, such as `hansa.identity.methods.hansa.resolve_did_hansa`.
        """
        network = await self._get_network()
        newest, url = self._proven.height, self._transport.url
        _, raw = await self._transport.post_bytes(self._path, encode(questions), ANSWER_BYTES_MAX)
        rows = verify_rows(network, raw)
        self._proven.advance(url, newest, rows.header.height)
        return rows


class AsyncIdentity(AsyncQuestions):
    """Asks the questions of `hansa.sdk.identity.questions`; the arguments are those above."""

    def __init__(
        self,
        transport: Transport,
        get_network: Callable[[], Awaitable[Network]],
        proven: NewestCheckpoint,
    ) -> None:
        super().__init__(transport, get_network, proven, PATH)


class Questions:
    """As `AsyncQuestions`, without `await`."""

    def __init__(self, questions: AsyncQuestions, run: Run) -> None:
        self._questions = questions
        self._run = run

    def ask(self, question: Question[T]) -> Proven[T]:
        """As `AsyncQuestions.ask`."""
        return self._run(self._questions.ask(question))

    def ask_many(self, questions: Sequence[Question[T]]) -> list[Proven[T]]:
        """As `AsyncQuestions.ask_many`."""
        return self._run(self._questions.ask_many(questions))

    def prove(self, questions: Sequence[Question[T]]) -> ProvenRows:
        """As `AsyncQuestions.prove`."""
        return self._run(self._questions.prove(questions))


class Identity(Questions):
    """As `AsyncIdentity`, without `await`."""
