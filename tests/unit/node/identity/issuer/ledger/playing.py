"""A ledger of real contracts behind a node that can be away, and an issuer that writes to it."""

import asyncio
import hashlib
import secrets

from tests.unit.contracts.harness import Harness
from tests.unit.node.identity.issuer.playing import MEI, PASSPHRASE, make_folder

from hansa.contracts.identity import evidence, status
from hansa.identity.status.entries import Entries
from hansa.kernel.crypto.address import to_text
from hansa.kernel.errors import Invalid, InvalidCode, Refused, Unavailable
from hansa.node.identity.issuer.folder import open_issuer
from hansa.node.identity.issuer.ledger.delivery import Delivery, Outcome
from hansa.node.identity.issuer.ledger.node import FoundList
from hansa.node.identity.issuer.ledger.running import run_alone
from hansa.sdk.answers import TransactionResult
from hansa.sdk.build import SignedTransaction, name_call

ISSUER = hashlib.sha256(b"office").digest()
DID = f"did:hansa:test:{to_text(ISSUER)}"
HEAD = f'did = "{DID}"\nkey_id = "{DID}#signing"\n'
LEDGER = f"""
[ledger]
node = "http://127.0.0.1:8460"
genesis = "{"ab" * 32}"
key = "office.json"
"""
NOW = 1_795_953_600_000
LENGTH = 1_024
MODULES = {module.NAME: module for module in (status, evidence)}


class Ledger:
    """A `LedgerNode`; its faults are set by tests.

    away: requests fail before anything happens · deaf: what is sent is done, and nobody hears of
    it · expired: what is new is not taken any more · lying: it says that a command was carried out,
    and does nothing · lag: how many blocks behind proofs are.
    """

    def __init__(self, registry=None):
        self.registry = registry
        self.contracts = Harness()
        self.sent = {}
        self.results = {}
        self.away = self.deaf = self.expired = self.lying = False
        self.lag = 0
        self.signer = ISSUER
        self.refusals = 0

    async def sign(self, command):
        self._require()
        envelope = b"%d" % len(self.sent)
        signed = SignedTransaction(envelope, hashlib.sha256(envelope).digest())
        self.sent[envelope] = (signed.tx_id, command)
        return signed

    async def submit(self, envelope):
        self._require()
        tx_id, command = self.sent[envelope]
        if tx_id not in self.results:
            if self.expired:
                raise Invalid(InvalidCode.EXPIRED, "it is too old")
            self.results[tx_id] = self.do(command, tx_id)
        elif self.expired:
            raise Invalid(InvalidCode.EXPIRED, "it is too old")
        if self.deaf:
            raise Unavailable("no answer came")
        return self.results[tx_id]

    def do(self, command, tx_id=bytes(32)):
        """Execute a command as a block of its own."""
        contract, word, _ = name_call(command)
        function = MODULES[contract].COMMANDS[word][1]
        height, code = self.contracts.height, ""
        if self.lying:
            return TransactionResult(tx_id=tx_id.hex(), status="OK", height=height, index=0)
        try:
            self.contracts.do(function, command, self.signer)
        except Refused as error:
            self.contracts.view.begin()
            self.contracts.height += 1
            self.refusals += 1
            code = str(error.code)
        kind = "REFUSED" if code else "OK"
        return TransactionResult(tx_id=tx_id.hex(), status=kind, code=code, height=height, index=0)

    async def find_result(self, tx_id):
        self._require()
        return self.results.get(tx_id)

    async def find_list(self, issuer, number):
        self._require()
        height = self.contracts.height - self.lag
        row = status.get_list(self.contracts.view, issuer, number)
        if row is None:
            return height, None
        content = b"".join(status.list_chunks(self.contracts.view, issuer, number))
        return height, FoundList(height, row, Entries(row.bits, content))

    async def list_anchored(self, issuer, digests):
        self._require()
        view = self.contracts.view
        known = {each for each in digests if evidence.get_evidence(view, issuer, each)}
        return self.contracts.height - self.lag, frozenset(known)

    def get_status(self, reference):
        number = int(reference.uri.rpartition("/")[2])
        return status.get_status(self.contracts.view, ISSUER, number, reference.index)

    def is_anchored(self, digest):
        return evidence.get_evidence(self.contracts.view, ISSUER, digest) is not None

    def _require(self):
        if self.away:
            raise Unavailable("the node does not answer")


class Office:
    """An issuer whose process can be killed at any step, and opened again."""

    def __init__(self, path, ledger, *, more=LEDGER, edit=str):
        def set_length(text):
            return edit(text.replace("[status]", f"[status]\nlength = {LENGTH}"))

        self.path, self.ledger, self.clock_s = path / "issuer", ledger, 0.0
        make_folder(self.path, head=HEAD, more=more, edit=set_length)
        self.open()

    def configure(self, more):
        """Add to the settings, and begin anew."""
        settings = self.path / "issuer.toml"
        settings.write_text(settings.read_text() + more)
        self.kill()

    def open(self):
        self.service = open_issuer(self.path, PASSPHRASE, secrets.token_bytes)
        self.delivery = Delivery(
            self.service.wants, ISSUER, LENGTH, self.ledger, lambda: self.clock_s
        )

    def kill(self):
        """End without a word, and begin anew."""
        self.service.close()
        self.open()

    def step(self):
        return asyncio.run(self.delivery.step(run_alone(self.service.records)))

    def settle(self, steps_max=50):
        """Take steps until nothing is left to do; returns how many it took."""
        for count in range(steps_max):
            if self.step() is Outcome.IDLE:
                return count
        raise AssertionError("it does not come to an end")

    def issue(self, count=1):
        """Issue credentials; returns them."""
        configuration = self.service.protocol.configurations[0]
        write = self.service.write
        with self.service.records.at_once():
            return [write(configuration, "d.0", MEI, None, NOW).credential for _ in range(count)]
