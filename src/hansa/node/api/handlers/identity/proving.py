"""Rows as of the last checkpoint, read once and then proved together."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

import msgspec
from aiohttp import web

from hansa.engine.chain import Chain, StoredNodes
from hansa.kernel.block import decode_header
from hansa.kernel.encoding import DECODE_ERRORS, encode, tell_fault
from hansa.kernel.errors import Invalid, InvalidCode
from hansa.kernel.rows import KeyPart, Row, Rows, decode_row
from hansa.kernel.trees.commitment import compute_place
from hansa.kernel.trees.multiproof import join_proofs
from hansa.kernel.trees.state_tree import StateTree
from hansa.node.api.handlers.identity.rights import require_question
from hansa.node.api.rights import Right
from hansa.node.api.routes import MSGPACK, Api, Call, Route, read_charged, require_media_type
from hansa.sdk.identity.proofs import RowsProof
from hansa.sdk.identity.questions import QUESTIONS_MAX, AnyQuestion, Question, Questions

R = TypeVar("R", bound=Row)
Q = TypeVar("Q", bound=Question[object])

BYTES_PER_COST = 4_096
ROWS_PER_COST = 16
ROWS_MAX = 2_048
"""Of one answer: what can be read and proved while others wait, in some 20 ms."""

_decode = msgspec.msgpack.Decoder(Questions).decode


class CheckpointRows:
    """Reads rows as of the last checkpoint, and remembers which; of use within one turn alone."""

    def __init__(self, chain: Chain) -> None:
        self._chain = chain
        self.encoded: dict[bytes, bytes | None] = {}

    def get(self, row_type: type[R], *key: KeyPart) -> R | None:
        """Get a row, or None if there is none."""
        packed = row_type.key(*key)
        if packed not in self.encoded:
            self.encoded[packed] = self._chain.get_row(packed)
        raw = self.encoded[packed]
        return None if raw is None else decode_row(row_type, raw)

    def prove(self) -> tuple[RowsProof, int]:
        """Prove what was read; also tells the checkpoint's height."""
        chain = self._chain
        record = chain.get_record(chain.store.pending_height)
        digest = chain.network.digest
        # Not the machine's own tree, which may be ahead of the checkpoint.
        tree = StateTree(StoredNodes(chain.store), digest)
        paths = {
            place: tree.prove(place) for place in (compute_place(k, digest) for k in self.encoded)
        }
        proof = RowsProof(
            record.header,
            record.signatures,
            None,
            tuple(self.encoded.items()),
            tuple(join_proofs(paths)),
        )
        return proof, decode_header(record.header).height


def prove_questions(chain: Chain, questions: Sequence[AnyQuestion]) -> RowsProof:
    """Prove the rows on which the answers to questions rest, as of the last checkpoint."""
    rows = CheckpointRows(chain)
    for question in questions:
        question.read(rows)
    return rows.prove()[0]


async def prove_answers(api: Api, call: Call) -> web.Response:
    """Prove the rows on which the answers to questions about identity rest."""

    def require(question: AnyQuestion, rows: Rows) -> None:
        require_question(api, call.principal, question, rows)

    return await answer_proof(api, call, _decode, require)


async def answer_proof(
    api: Api,
    call: Call,
    decode: Callable[[bytes], Sequence[Q]],
    require: Callable[[Q, Rows], object],
) -> web.Response:
    """Answer a request for the rows on which answers rest, proved as of the last checkpoint.

    Args:
      api: of the node.
      call: whose body has the questions.
      decode: decodes them; raises what msgspec raises.
      require: lets through who may know the answer to one, or raises.
    """
    require_media_type(call.request, MSGPACK)
    raw, _ = await read_charged(api, call, BYTES_PER_COST)
    try:
        questions = decode(raw)
    except DECODE_ERRORS as error:
        raise Invalid(
            InvalidCode.MALFORMED,
            f"{tell_fault(error)}: send a MessagePack array of 1 to {QUESTIONS_MAX} questions, as "
            "docs/reference/http-api.md has them",
        ) from None
    chain = api.node.chain
    # While a checkpoint is executed but not confirmed, the tree is ahead of what is sealed.
    while chain.head.checkpoint_height > chain.confirmed_height:
        await api.node.confirm(chain.head.checkpoint_height)
    rows = CheckpointRows(chain)
    for question in questions:
        require(question, rows)
        question.read(rows)
        if len(rows.encoded) > ROWS_MAX:
            api.add_cost(call, ROWS_MAX // ROWS_PER_COST)
            raise Invalid(
                InvalidCode.TOO_MANY,
                f"the answers rest on more than {ROWS_MAX} rows: ask fewer questions at once",
            )
    proof, height = rows.prove()
    api.add_cost(call, len(rows.encoded) // ROWS_PER_COST)
    votes = await api.node.engine.fetch_votes(height)
    if votes is not None:
        proof = msgspec.structs.replace(proof, votes=encode(votes))
    return web.Response(body=encode(proof), content_type=MSGPACK)


ROUTES = (
    Route(
        "POST",
        "/v1/identity/proofs",
        prove_answers,
        Right.PUBLIC,
        "Rows on which the answers to questions rest, proved together as of the last checkpoint; "
        "of consents to their parties.",
        MSGPACK,
        bodies=((MSGPACK, bytes),),
        errors=(403, 404, 408, 413, 415),
    ),
)
