"""An operator whose process can be killed at any step, a ledger of real contracts, holders."""

import asyncio
import hashlib
import secrets

from tests.disclosing import counted
from tests.unit.contracts.harness import Harness, make_address, make_genesis, make_member
from tests.unit.identity.verifier.playing import HOLDER, ISSUER, ISSUER_KEY, STATUS, VCT, Counter
from tests.unit.identity.verifier.playing import World as Registry

from hansa.contracts import members, policy, wallets
from hansa.contracts.identity import tiers
from hansa.contracts.members import Role
from hansa.contracts.wallets import Category, Wallet
from hansa.identity.sd_jwt.credential import Credential, issue_credential
from hansa.identity.tiers import compute_pairwise_subject, list_selective
from hansa.kernel.crypto.address import to_text
from hansa.kernel.errors import Invalid, InvalidCode, Refused, Unavailable
from hansa.kernel.genesis import Network
from hansa.node.identity.operator.delivery import TierDelivery
from hansa.node.identity.operator.folder import NewOperator, create_operator, open_operator
from hansa.passphrases import ScryptCost
from hansa.sdk.answers import TransactionResult
from hansa.sdk.build import SignedTransaction, name_call

CHEAP = ScryptCost(n=2, r=1, p=1)
PASSPHRASE = "a bank's own"
OPERATOR = make_address("operator")
ANN, BEN = make_address("ann"), make_address("ben")
SECRET = b"\x07" * 32
DAY_MS = 86_400_000
MODULES = {module.NAME: module for module in (tiers, wallets)}


class Ledger:
    """The operator's node; its faults are set by tests.

    away: requests fail before anything happens · deaf: what is sent is done, and nobody hears of
    it · expired: what is sent is too old by now.
    """

    def __init__(self):
        people = [
            make_member("bank", Role.CENTRAL_BANK, Role.VALIDATOR, weight=1),
            make_member("operator", Role.OPERATOR),
        ]
        self.genesis = make_genesis(people)
        self.network = Network.of(self.genesis)
        self.contracts = Harness(self.genesis, members.install, policy.install)
        self.away = self.deaf = self.expired = False
        self.sent, self.results = {}, {}
        self.heard = asyncio.Event()
        for wallet in (ANN, BEN):
            self.do(wallets.Open(wallet, OPERATOR, Category.IV))

    async def sign(self, command):
        self._require()
        envelope = b"%d" % len(self.sent)
        tx_id = hashlib.sha256(envelope).digest()
        self.sent[envelope] = (tx_id, command)
        return SignedTransaction(envelope, tx_id)

    async def submit(self, envelope):
        self._require()
        if self.expired:
            raise Invalid(InvalidCode.EXPIRED, "it is too old")
        tx_id, command = self.sent[envelope]
        if tx_id not in self.results:
            self.results[tx_id] = self.do(command, tx_id)
            self.heard.set()
        if self.deaf:
            raise Unavailable("no answer came")
        return self.results[tx_id]

    async def find_result(self, tx_id):
        self._require()
        return self.results.get(tx_id)

    def do(self, command, tx_id=bytes(32), signer="operator"):
        contract, word, _ = name_call(command)
        code = ""
        try:
            self.contracts.do(MODULES[contract].COMMANDS[word][1], command, signer)
        except Refused as error:
            self.contracts.view.begin()
            code = str(error.code)
        status = "REFUSED" if code else "OK"
        return TransactionResult(tx_id=tx_id.hex(), status=status, code=code, height=1, index=0)

    def find_category(self, wallet):
        found = self.contracts.get(Wallet, wallet)
        return wallets.get_category(found, self.contracts.time_ms)

    def count(self, kind):
        return sum(isinstance(event, kind) for event in self.contracts.events)

    def _require(self):
        if self.away:
            raise Unavailable("the node does not answer")


def issue(person="mei", operators=(OPERATOR,), **changes):
    """Issue a credential that names a person towards operators; the number is of its copy."""
    subjects = {to_text(each): compute_pairwise_subject(SECRET, person, each) for each in operators}
    claims = {"given_name": "Mei", "age_equal_or_over_18": True, "pairwise_subjects": subjects}
    now_s = changes.pop("now_s")
    parts = {
        "vct": VCT,
        "claims": claims,
        "selective": list_selective(claims),
        "issuer": ISSUER,
        "holder_key": HOLDER.public_key,
        "issued_s": now_s - 1_000,
        "expires_s": now_s + 200 * 86_400,
        "status": STATUS,
    }
    return issue_credential(ISSUER_KEY, Credential(**parts | changes), counted())


class Bank(Counter):
    """An operator and those who stand at its counter."""

    def __init__(self, path, edit=str):
        self.ledger, self.registry = Ledger(), Registry()
        self.path = path / "operator"
        new = NewOperator(
            url="https://bank.example",
            name="Bank",
            operator=to_text(OPERATOR),
            node="https://node.example",
            genesis=self.ledger.network.genesis_hash.hex(),
            key="bank.json",
        )
        create_operator(self.path, new, passphrase=PASSPHRASE, draw=secrets.token_bytes, cost=CHEAP)
        rules = self.path / "tiers.toml"
        rules.write_text(edit(rules.read_text().replace("urn:example:resident:1", VCT)))
        self.woken = 0
        super().__init__(self.registry, now_ms=self.ledger.contracts.time_ms)
        self.open()

    def open(self):
        self.folder = open_operator(self.path, PASSPHRASE, secrets.token_bytes)
        desk = self.folder.desk
        self.cases = desk.cases
        self.verifier = self.folder.verifier.build(self.registry, desk.build_accept(self.wake))
        self.delivery = TierDelivery(
            desk.cases, self.folder.settings, self.ledger, self.registry, lambda: self.now_ms
        )

    def wake(self):
        self.woken += 1

    def kill(self):
        """Have the process die, and another one begin."""
        self.folder.close()
        self.open()

    def ask_for(self, wallet=ANN, category=Category.III):
        return self.folder.desk.ask(wallet, category, self.ledger.network, self.now_ms)

    def show(self, asking, person="mei", **changes):
        """Answer as a wallet would that was asked."""
        request = self.fetch(asking)
        binding = {}
        if "transaction_data" in request:
            hashes = [_hash(each) for each in request["transaction_data"]]
            binding = {"transaction_data_hashes": hashes, "transaction_data_hashes_alg": "sha-256"}
        paths = [tuple(each["path"]) for each in request["dcql_query"]["credentials"][0]["claims"]]
        credential = issue(person, now_s=self.now_ms // 1_000, **changes)
        shown = self.present(request, credential, paths=paths, binding=binding)
        self.answer(asking, request, {"tier": [shown]})
        return shown

    def deliver(self):
        return asyncio.run(self.delivery.deliver())

    def watch(self):
        return asyncio.run(self.delivery.watch())

    def pass_time(self, duration_ms):
        self.now_ms += duration_ms
        self.ledger.contracts.pass_time(duration_ms)


def _hash(text):
    from hansa.identity.encoding.base64url import encode_base64url  # noqa: PLC0415 - only here

    return encode_base64url(hashlib.sha256(text.encode()).digest())
