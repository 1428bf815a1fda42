"""The demo's desks: an issuer, a verifier and a wallet that somebody can try in a browser.

The identity office issues under its DID on the ledger, and brings its revocations there; Harbour
Bank asks, and believes whom the ledger accredits; the wallet is empty. The operator that keeps the
visitor's wallet lifts it, when it is asked to by `hansa id tier ask`. Their folders lie beside the
node's, under the passphrase that all keys of the demo have.

Source: docs/how-to/issue-credentials.md, verify-credentials.md and hold-credentials.md.
"""

from __future__ import annotations

import secrets
import socket
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from pathlib import Path
from string import Template
from typing import Final, NamedTuple

import msgspec

from hansa.contracts.identity import documents
from hansa.identity.keys.kinds import PublicKey
from hansa.identity.keys.multikey import read_multikey
from hansa.identity.methods.documents import DidDocument
from hansa.identity.methods.hansa import write_did
from hansa.identity.status.reference import StatusReference
from hansa.identity.verifier.registry import CredentialStatus
from hansa.kernel.errors import Unavailable
from hansa.kernel.genesis import Network
from hansa.node.demo.offices import Methods
from hansa.node.demo.papers import CERTIFICATE, LICENCE, RESIDENT, read_type
from hansa.node.demo.town import (
    HARBOUR,
    OFFICE,
    OPERATOR_NAMES,
    OPERATORS,
    PASSPHRASE,
    VISITOR,
    Town,
    place_operator,
)
from hansa.node.identity.desk.frame import Desk
from hansa.node.identity.desk.running import PORT, PORTS, served_desk
from hansa.node.identity.desk.wallet.pages import add_pages
from hansa.node.identity.desk.wallet.work import WalletWork
from hansa.node.identity.fetching import FetchRules
from hansa.node.identity.folders import serving_alone
from hansa.node.identity.holder.carrying import Carrier
from hansa.node.identity.holder.checking import Checker, read_ledger_status
from hansa.node.identity.holder.knowing import resolve_verifier
from hansa.node.identity.holder.presenting import Presenter
from hansa.node.identity.holder.vault import create_vault, open_vault
from hansa.node.identity.issuer import folder as issuers
from hansa.node.identity.issuer.running import LedgerSide, serving_issuer
from hansa.node.identity.issuer.settings import DEFAULT_PORT as ISSUER_PORT
from hansa.node.identity.operator import folder as operators
from hansa.node.identity.operator.running import serving_operator
from hansa.node.identity.verifier import folder as verifiers
from hansa.node.identity.verifier.running import serving_verifier
from hansa.node.identity.verifier.settings import DEFAULT_PORT as VERIFIER_PORT
from hansa.node.service import wall_clock_ms
from hansa.node.settings import DEFAULT_HOST
from hansa.passphrases import ScryptCost
from hansa.sdk.client import Client
from hansa.sdk.files import write_file
from hansa.sdk.keys import KeyPair, save_key

COST: Final = ScryptCost(n=1 << 10, r=8, p=1)
"""Of secrets that everybody knows."""
ACCOUNT: Final = "account.json"
OPERATOR_PORT: Final = VERIFIER_PORT + 1
PORTS_TRIED: Final = 100
DESK_PORTS: Final = range(PORT, PORT + PORTS)
QUERIES: Final = ("adult.dcql.json", "applicant.dcql.json")
_TEMPLATES: Final = Path(__file__).parent / "templates"


class DeskLink(NamedTuple):
    """What opens a desk in a browser, once."""

    owner: str
    """Whose desk it is."""
    url: str


class DeskFolders(NamedTuple):
    """What was made for the desks."""

    office: Path
    employer: Path
    operator: Path
    """Of the operator that keeps the visitor's wallet."""
    wallet: Path
    node: str
    genesis_hash: str
    methods: Methods
    """The keys that sign for them, by the places of those whose DID documents are to name them."""
    ports: Sequence[socket.socket]
    """Held for them; closed when they are served."""


def make_folders(folder: Path, town: Town, network: Network, node: str) -> DeskFolders:
    """Make the folders of the desks, and all that is to be known of them before the town's day.

    Args:
      folder: of the demo.
      town: whose offices they are.
      network: their ledger.
      node: the address at which its node answers.

    Raises:
      Unavailable: the disk refuses, or no port is free.
    """
    maker = _Maker(town, network, node)
    places = (folder / each for each in ("office", "employer", "operator", "wallet"))
    office, employer, operator, wallet = places
    maker.make_office(office)
    maker.make_verifier(employer, HARBOUR, "counter", VERIFIER_PORT)
    place = place_operator(town.people[VISITOR])
    maker.make_verifier(operator, place, "tiers", OPERATOR_PORT)
    maker.write(operator / operators.SETTINGS, operator=town.institutions[place].address_text)
    maker.save_account(operator, place)
    create_vault(wallet, PASSPHRASE, secrets.token_bytes, COST)
    genesis_hash = network.genesis_hash.hex()
    return DeskFolders(
        office, employer, operator, wallet, node, genesis_hash, maker.methods, maker.ports
    )


def hold_port(first: int) -> socket.socket:
    """Hold the first port that is free, and none where desks look for theirs.

    A desk would take it as soon as it is let go for the service that is to have it.

    Raises:
      Unavailable: none is free.
    """
    for port in range(first, first + PORTS_TRIED):
        if port in DESK_PORTS:
            continue
        held = socket.socket()
        try:
            held.bind((DEFAULT_HOST, port))
        except OSError:
            held.close()
            continue
        return held
    raise Unavailable(f"no port from {first} to {first + PORTS_TRIED - 1} is free: end something")


class _Maker:
    """Makes folders of services, each with a key that a DID document is to name."""

    def __init__(self, town: Town, network: Network, node: str) -> None:
        self._town = town
        self._network = network
        self._names = {"node": node, "genesis": network.genesis_hash.hex()}
        self.ports: list[socket.socket] = []
        """Held for the services, which listen on them only once the day is over."""
        self.methods: dict[int, tuple[documents.Method, ...]] = {}

    def make_office(self, folder: Path) -> None:
        """Make the folder of the identity office."""
        url, draw = self._choose_address(ISSUER_PORT), secrets.token_bytes
        made = issuers.create_folder(
            folder, url=url, name="Identity Office", passphrase=PASSPHRASE, draw=draw, cost=COST
        )
        key = read_multikey(made.key)
        did = self._add_method(OFFICE, "signing", key, documents.Relationship.ASSERTION)
        texts = (f'"{self._town.institutions[each].address_text}"' for each in OPERATORS)
        self.write(folder / issuers.SETTINGS, url=url, did=did, operators=", ".join(texts))
        for each in (RESIDENT, LICENCE, CERTIFICATE):
            schema = msgspec.json.format(msgspec.json.encode(read_type(each)["schema"]), indent=2)
            write_file(folder / f"{each}.schema.json", schema, replace=True)
        self.save_account(folder, OFFICE)

    def make_verifier(self, folder: Path, place: int, method: str, port: int) -> None:
        """Make the folder of a bank that asks wallets."""
        name, draw = OPERATOR_NAMES[place - HARBOUR], secrets.token_bytes
        url = self._choose_address(port)
        verifiers.create_folder(
            folder, url=url, name=name, passphrase=PASSPHRASE, draw=draw, cost=COST
        )
        opened = verifiers.open_verifier(folder, PASSPHRASE, draw)
        opened.records.close()
        key = opened.identity.signer.public_key
        did = self._add_method(place, method, key, documents.Relationship.AUTHENTICATION)
        self.write(folder / verifiers.SETTINGS, url=url, name=name, did=did, method=method)
        for query in QUERIES:
            content = (_TEMPLATES / query).read_bytes()
            write_file(folder / query, content, replace=True)

    def write(self, path: Path, **names: str) -> None:
        """Write settings as their template has them."""
        text = Template((_TEMPLATES / path.name).read_text()).substitute(self._names | names)
        write_file(path, text.encode(), replace=True)

    def save_account(self, folder: Path, place: int) -> None:
        """Keep the key of an institution's account, which signs for it on the ledger."""
        save_key(folder / ACCOUNT, self._town.institutions[place], PASSPHRASE, cost=COST)

    def _choose_address(self, first: int) -> str:
        """Choose the address of the first port that is free, and hold it."""
        held = hold_port(first)
        self.ports.append(held)
        return f"http://{DEFAULT_HOST}:{held.getsockname()[1]}"

    def _add_method(
        self, place: int, name: str, key: PublicKey, purpose: documents.Relationship
    ) -> str:
        """Have a DID document name a key; returns the DID."""
        method = documents.Method(name, documents.Kind.P256, key.data, int(purpose))
        self.methods[place] = (*self.methods.get(place, ()), method)
        return write_did(self._network.genesis.network, self._town.institutions[place].address)


@asynccontextmanager
async def served_desks(
    folders: DeskFolders, town: Town, tell: Callable[[DeskLink], None]
) -> AsyncIterator[None]:
    """Serve issuer, verifier and wallet, with a desk each, for as long as this lasts.

    Args:
      folders: as `make_folders` made them.
      town: whose offices they are.
      tell: gets the links: of each desk one and, once it was used, the next.

    Raises:
      Unavailable: a port is taken meanwhile, or the node does not answer.
    """

    def name_link(owner: str) -> Callable[[str], None]:
        return lambda url: tell(DeskLink(owner, url))

    for held in folders.ports:
        held.close()
    async with AsyncExitStack() as stack:
        key = town.institutions[OFFICE]
        await _serve_office(stack, folders.office, key, name_link("the Identity Office's desk"))
        await _serve_employer(stack, folders.employer, name_link("Harbour Bank's desk"))
        place = place_operator(town.people[VISITOR])
        await _serve_operator(stack, folders.operator, town.institutions[place])
        await _serve_wallet(stack, folders, name_link("a resident's wallet"))
        yield


async def _serve_office(
    stack: AsyncExitStack, folder: Path, key: KeyPair, tell: Callable[[str], None]
) -> None:
    stack.enter_context(serving_alone(folder))
    service = issuers.open_issuer(folder, PASSPHRASE, secrets.token_bytes)
    stack.callback(service.close)
    side = LedgerSide(folder, key, _ignore)
    place = service.settings.place
    opened = serving_issuer(service, _ignore, place, ledger=side, tell_desk=tell)
    await stack.enter_async_context(opened)


async def _serve_employer(stack: AsyncExitStack, folder: Path, tell: Callable[[str], None]) -> None:
    stack.enter_context(serving_alone(folder))
    verifier = verifiers.open_verifier(folder, PASSPHRASE, secrets.token_bytes)
    stack.callback(verifier.records.close)
    opened = serving_verifier(verifier, _ignore, verifier.settings.place, tell_desk=tell)
    await stack.enter_async_context(opened)


async def _serve_operator(stack: AsyncExitStack, folder: Path, key: KeyPair) -> None:
    stack.enter_context(serving_alone(folder))
    opened = operators.open_operator(folder, PASSPHRASE, secrets.token_bytes)
    stack.callback(opened.close)
    place = opened.verifier.settings.place
    await stack.enter_async_context(serving_operator(opened, key, _ignore, place))


async def _serve_wallet(
    stack: AsyncExitStack, folders: DeskFolders, tell: Callable[[str], None]
) -> None:
    draw = secrets.token_bytes
    vault = stack.enter_context(open_vault(folders.wallet, PASSPHRASE, draw))
    carrier = Carrier(FetchRules(may_ask_loopback=True), draw, wall_clock_ms)
    open_client = partial(Client, folders.node, folders.genesis_hash)

    def resolve(text: str) -> DidDocument:
        return resolve_verifier(text, carrier, open_client)

    def read_ledger(issuer: str, reference: StatusReference) -> CredentialStatus:
        with open_client() as client:
            return read_ledger_status(client, issuer, reference)

    presenter = Presenter(vault, carrier, resolve)
    checker = Checker(carrier, resolve, read_ledger)
    desk = Desk("Wallet", "a resident's", draw, time.monotonic)
    add_pages(desk, WalletWork(vault, carrier, presenter, checker))
    await stack.enter_async_context(served_desk(desk, tell))


def _ignore(*_: object) -> None:
    """Hear what a process of its own would print."""
