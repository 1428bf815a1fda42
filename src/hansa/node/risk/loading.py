"""What an operator decides by, read from its folder: policy, rules, lists, customers, models.

FOLDER/policy.toml     thresholds, and what holds while no model can be asked
FOLDER/rules.toml      rules; may be missing
FOLDER/lists.csv       whom to block or to let through (or lists.toml); may be missing
FOLDER/merchants.csv   which wallet is which merchant's: `wallet,merchant`; may be missing
FOLDER/customers.csv   who has which wallet, screened against FOLDER/sanctions/; may be missing
FOLDER/models/         the registry of models

The first three are the policy whose hash the ledger has: one hash over all of their bytes.

Source: docs/reference/risk-policy.md.
"""

from __future__ import annotations

import csv
import hashlib
import io
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Final, Literal, NamedTuple

from hansa.contracts.risk.in_force import NO_MODEL, Basis
from hansa.kernel.crypto.address import from_text
from hansa.kernel.encoding import Decoder, Document, encode
from hansa.kernel.errors import Invalid, InvalidCode, NotFound
from hansa.node.risk.files import read_optional
from hansa.node.risk.names import check_names
from hansa.node.risk.registry import MODELS, Registry
from hansa.node.risk.screening import Screen, Screening, ScreeningBeside, screen_folder
from hansa.program import name_program
from hansa.risk.decisions.deciding import Decider, Listed
from hansa.risk.decisions.policy import POLICY_BYTES_MAX, Policy, load_policy
from hansa.risk.intake.describing import FEATURES
from hansa.risk.lists.listings import Effect, Lists, Subject
from hansa.risk.lists.reading import parse_lists
from hansa.risk.models.file import Model
from hansa.risk.rules.book import RULES_BYTES_MAX, ReadRule, load_rules
from hansa.risk.screening.hits import Screened
from hansa.risk.verdicts import Verdict

LISTS_BYTES_MAX = 64 << 20
MERCHANT_COLUMNS = ("wallet", "merchant")
NO_RULES = b'name = "none"\n'
LISTED: Final[Mapping[Effect, Listed]] = {
    Effect.ALLOW: Listed(Verdict.ALLOW, "allowed"),
    Effect.BLOCK: Listed(Verdict.BLOCK, "blocked"),
}
"""What a listing says of a payment."""
SANCTIONS: Final = "sanctions"
"""The reason of a payment whose payer or payee may be on a sanctions list, by their name."""


class BasisFiles(Document, frozen=True, array_like=True):
    """The files of an operator's own policy, as they were; kept as long as its decisions are."""

    version: Literal[1]
    policy: bytes
    rules: bytes
    lists: bytes
    lists_name: str
    """`lists.csv` or `lists.toml`."""

    @property
    def policy_hash(self) -> bytes:
        """The hash that the ledger has of it, 32 bytes."""
        return hashlib.sha256(encode(self)).digest()


decode_basis = Decoder[BasisFiles](BasisFiles, "policy of decisions").decode_trusted


class Sources(NamedTuple):
    """What an operator's folder says beside its models; `load` checks it."""

    files: BasisFiles
    merchants: Mapping[bytes, str]
    """Which wallet is which merchant's, by address."""
    screened: Mapping[bytes, Screened]
    """Wallets of those whose names are hits of sanctions lists, by address."""


class Models(NamedTuple):
    """Who decides, and who is tried beside."""

    champion: Model | None
    challenger: Model | None = None


class Loaded(NamedTuple):
    """What decides, ready to be asked."""

    files: BasisFiles
    policy_hash: bytes
    policy: Policy
    rules: tuple[ReadRule, ...]
    lists: Lists
    wallets: Mapping[bytes, str]
    """Names on the lists, by address."""
    merchants: Mapping[bytes, str]
    screened: Mapping[bytes, Screened]
    models: Models
    scoring: Decider
    """With the champion, if there is one."""
    unscored: Decider
    """Without a model."""
    trying: Decider | None
    """With the challenger."""
    model_id: bytes = NO_MODEL
    """The champion's hash, which takes as long to compute as a decision; all zero if there is none.
    """
    challenger_id: bytes = NO_MODEL
    """Likewise."""
    screening: Screening | None = None
    """What came of screening, with names, to be told to officers; None where nobody is screened, or
    only payments are asked about."""

    @property
    def deciders(self) -> list[Decider]:
        """All that may be asked."""
        return [self.scoring, self.unscored, *(() if self.trying is None else (self.trying,))]

    @property
    def sources(self) -> Sources:
        """What all of it was loaded from, beside the models."""
        return Sources(self.files, self.merchants, self.screened)

    def is_scored(self, in_force: Collection[Basis]) -> bool:
        """Whether the champion may decide, by what the ledger has in force."""
        basis = Basis(self.model_id, self.policy_hash)
        return self.model_id != NO_MODEL and basis in in_force

    def find_listed(self, payer: bytes, payee: bytes, device: str, time_ms: int) -> Listed | None:
        """Find what lists say of a payment.

        A block counts above an allowance, and so does a hit of a sanctions list: nobody lets
        through by an allowance who may be sanctioned. Of two that stop it, the higher verdict
        counts; of the same, the hit.
        """
        effects = self._find_effects(payer, payee, device, time_ms) if self.lists else ()
        hit = Verdict.ALLOW
        if payer in self.screened or payee in self.screened:
            hit = max(self._find_hit(payer, time_ms), self._find_hit(payee, time_ms))
        if Effect.BLOCK in effects and hit < Verdict.BLOCK:
            return LISTED[Effect.BLOCK]
        if hit > Verdict.ALLOW:
            return Listed(hit, SANCTIONS)
        return LISTED[Effect.ALLOW] if effects else None

    def _find_effects(self, payer: bytes, payee: bytes, device: str, time_ms: int) -> list[Effect]:
        """Find what listings of a payment's parties do that count."""
        names = []  # of most payments one, their device: written out, since all ask this
        if payer in self.wallets:
            names.append((Subject.WALLET, self.wallets[payer]))
        if payee in self.wallets:
            names.append((Subject.WALLET, self.wallets[payee]))
        if payee in self.merchants:
            names.append((Subject.MERCHANT, self.merchants[payee]))
        if device:
            names.append((Subject.DEVICE, device))
        effects = []
        for kind, name in names:
            found = self.lists.find(kind, name, time_ms)
            if found is not None:
                effects.append(found.effect)
        return effects

    def _find_hit(self, wallet: bytes, time_ms: int) -> Verdict:
        """Find what a hit on the name of a wallet's owner makes of a payment."""
        found = self.screened.get(wallet)
        if found is None or time_ms < found.review_from_ms:
            return Verdict.ALLOW
        return Verdict.BLOCK if time_ms >= found.block_from_ms else Verdict.REVIEW


class RiskFolder:
    """An operator's folder, and what is loaded of it."""

    def __init__(self, path: Path, sources: Sources | None = None, *, screens: bool = True) -> None:
        """Load what is in a folder.

        Args:
          path: of the folder.
          sources: what it says, where that was read before.
          screens: whether customers are screened, which may take a while and is kept there.

        Raises:
          NotFound: there is no policy file.
          Invalid: a file is wrong; names it and the place.
          Unavailable: a file cannot be read.
        """
        self._path = path
        self._beside = ScreeningBeside()
        self.registry = Registry(path / MODELS, FEATURES)
        if sources is None:
            self.loaded = self._read(screen_folder if screens else None)
        else:
            self.loaded = self.load(sources)

    def reload(self) -> None:
        """Load all of it anew; where that fails, what is loaded stays. Raises as the beginning."""
        self.put(self.read())

    def read(self) -> Loaded:
        """Read all of it anew, to be put to use; in any thread. Raises as the beginning.

        Customers are screened in a process beside this one, which goes on with its work meanwhile.
        """
        return self._read(self._beside.screen)

    def close(self) -> None:
        """Read no more: who is being screened for it meanwhile is left, so that a node can end."""
        self._beside.close()

    def load(self, sources: Sources) -> Loaded:
        """Load what was read before, to be put to use; raises `Invalid` where it is wrong."""
        loaded = load(sources, self._get_models(), str(self._path))
        _check_lists(loaded.lists, self._path / sources.files.lists_name)
        return loaded

    def put(self, loaded: Loaded) -> None:
        """Have this decide, with the models that have roles now."""
        self.loaded = loaded
        self.refresh()

    def refresh(self) -> None:
        """Look whether other models have roles now; costs a look at one file's date.

        What is loaded is held against the registry each time, whoever had that look on before: a
        model that was stopped while another file was at fault decides no more.
        """
        self.registry.refresh()
        models = self._get_models()
        if any(one is not other for one, other in zip(models, self.loaded.models, strict=True)):
            self.loaded = _put_models(self.loaded, models)

    def _read(self, screen: Screen | None) -> Loaded:
        loaded = self.load(Sources(read_files(self._path), read_merchants(self._path), {}))
        # Last: it takes the longest, and what is wrong before is told at once.
        screening = None if screen is None else screen(self._path, loaded.policy.screening)
        if screening is None:
            return loaded
        return loaded._replace(screened=screening.screened, screening=screening)

    def _get_models(self) -> Models:
        return Models(self.registry.champion, self.registry.challenger)


def read_files(folder: Path) -> BasisFiles:
    """Read an operator's own policy; nothing in it is checked yet.

    Raises:
      NotFound: there is no policy file.
      Invalid: a file is too large, there are two of lists, one that is empty, or one that looks
        like one of these by its name and is none.
      Unavailable: a file cannot be read.
    """
    check_names(folder)
    policy = read_optional(folder / "policy.toml", POLICY_BYTES_MAX)
    if policy is None:
        raise NotFound(
            f"there is no {folder / 'policy.toml'}: bring yours back, or begin with the one that "
            f"ships, by {name_program()} risk begin (docs/reference/risk-policy.md)",
            path=str(folder / "policy.toml"),
        )
    rules = read_optional(folder / "rules.toml", RULES_BYTES_MAX)
    names = ("lists.csv", "lists.toml")
    lists = {name: read_optional(folder / name, LISTS_BYTES_MAX) for name in names}
    there = [name for name, raw in lists.items() if raw is not None]
    if len(there) > 1:
        raise Invalid(
            InvalidCode.MALFORMED, f"{folder} has both {' and '.join(there)}: keep one of them"
        )
    name = there[0] if there else names[0]
    if lists[name] == b"":
        raise Invalid(
            InvalidCode.MALFORMED,
            f"{folder / name} is empty, as after a write that failed: bring it back, or remove it "
            "if nothing is listed",
            path=str(folder / name),
        )
    return BasisFiles(1, policy, NO_RULES if rules is None else rules, lists[name] or b"", name)


def read_merchants(folder: Path) -> dict[bytes, str]:
    """Read which wallet is which merchant's; none where there is no file.

    Raises:
      Invalid: a line of it is wrong.
      Unavailable: it cannot be read.
    """
    path = folder / "merchants.csv"
    raw = read_optional(path, LISTS_BYTES_MAX)
    if raw is None:
        return {}
    found: dict[bytes, str] = {}
    try:
        text = raw.decode("utf-8-sig")  # spreadsheets write a byte order mark before it
    except UnicodeDecodeError as error:
        raise Invalid(InvalidCode.MALFORMED, f"{path}: {error}", path=str(path)) from None
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    try:
        if next(reader, None) != list(MERCHANT_COLUMNS):
            raise Invalid(InvalidCode.MALFORMED, "it must be wallet,merchant")
        for row in reader:
            if row:
                _add_merchant(found, row)
    except (csv.Error, Invalid) as error:
        told = error.message if isinstance(error, Invalid) else str(error)
        line = max(reader.line_num, 1)
        raise Invalid(
            InvalidCode.MALFORMED, f"{path}: line {line}: {told}", path=str(path)
        ) from None
    return found


def _add_merchant(found: dict[bytes, str], row: list[str]) -> None:
    if len(row) != len(MERCHANT_COLUMNS) or not row[1]:
        raise Invalid(InvalidCode.MALFORMED, "it must name a wallet, and its merchant")
    wallet, merchant = row
    if found.setdefault(from_text(wallet), merchant) != merchant:
        raise Invalid(InvalidCode.MALFORMED, f"another merchant than before for {wallet}")


def load(sources: Sources, models: Models, name: str, features: Sequence[str] = FEATURES) -> Loaded:
    """Check an operator's own policy, and prepare to decide by it.

    Args:
      sources: the policy, and what else the folder says.
      models: read for these features.
      name: of the folder, for errors.
      features: of the rows that are decided on.

    Raises:
      Invalid: something is wrong in a file; names it and the place.
    """
    files, merchants, screened = sources
    policy = load_policy(files.policy, f"{name}/policy.toml")
    rules = load_rules(files.rules, f"{name}/rules.toml", features)
    path = Path(name) / files.lists_name
    lists = parse_lists(files.lists, path, from_text) if files.lists else Lists()
    unscored = Decider(policy, rules, None, features)
    loaded = Loaded(
        files,
        files.policy_hash,
        policy,
        rules,
        lists,
        {from_text(each): each for each in lists.list_names(Subject.WALLET)},
        merchants,
        screened,
        Models(None),
        unscored,
        unscored,
        None,
    )
    return _put_models(loaded, models)


def _check_lists(lists: Lists, path: Path) -> None:
    """Check what no list that is put to use may have; those of the past are read as they were.

    Raises:
      Invalid: a wallet is listed by both forms of its address; or a device is let through, though
        nobody proves one: whoever names it would be.
    """
    wallets: dict[bytes, str] = {}
    for name in lists.list_names(Subject.WALLET):
        if wallets.setdefault(from_text(name), name) != name:
            told = f"wallet {name.lower()} is listed twice, once in capitals"
            raise Invalid(InvalidCode.MALFORMED, f"{path}: {told}", path=str(path))
    for name in lists.list_names(Subject.DEVICE):
        listing = lists.find(Subject.DEVICE, name, 0)
        if listing is not None and listing.effect is Effect.ALLOW:
            told = f"line {listing.line}: a device cannot be allowed, as nobody proves one"
            raise Invalid(InvalidCode.MALFORMED, f"{path}: {told}: allow a wallet", path=str(path))


def _put_models(loaded: Loaded, models: Models) -> Loaded:
    """Put other models in the place of those that decide; all else was checked before."""
    scoring, trying = (
        None
        if model is None
        else Decider(loaded.policy, loaded.rules, model, loaded.unscored.features)
        for model in models
    )
    ids = [NO_MODEL if model is None else model.manifest.model_id for model in models]
    return loaded._replace(
        models=models,
        scoring=scoring or loaded.unscored,
        trying=trying,
        model_id=ids[0],
        challenger_id=ids[1],
    )
