"""An operator's models: which of them decides, which runs in its shadow, which decided before.

DIR/<hash of the manifest>.model    a model file (`hansa.risk.models.file`)
DIR/roles.json                      which of them has which role

A command may change the folder while a node reads it: each file appears whole or not at all, and a
node that is told to looks again. What cannot be read leaves payments without a model, so that the
policy's `unscored` holds for them; it never keeps a node from starting.

Source: docs/reference/risk-models.md; Federal Reserve SR 11-7 (inventory of models).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Annotated, Literal, NamedTuple

import msgspec
from msgspec import Meta

from hansa.engine.storage import make_folder
from hansa.kernel.encoding import DECODE_ERRORS, tell_fault
from hansa.kernel.errors import HansaError, Invalid, InvalidCode, NotFound, Unavailable
from hansa.node.risk.files import locked
from hansa.risk.models.file import FILE_BYTES_MAX, Model, read_model
from hansa.sdk.files import read_file, write_file

MODELS = "models"
"""The folder's name, within a node's own for risk control."""
ROLES_NAME = "roles.json"
ROLES_BYTES_MAX = 1 << 16
SUFFIX = ".model"
EARLIER_MAX = 16
"""Champions of the past that can be gone back to; older ones are promoted by their hash."""

ModelId = Annotated[str, Meta(pattern=r"\A[0-9a-f]{64}\Z")]


class Roles(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which model has which role, each by the hash of its manifest in hexadecimal."""

    version: Literal[1] = 1
    champion: ModelId | None = None
    """Decides, unless it is stopped."""
    earlier: Annotated[tuple[ModelId, ...], Meta(max_length=EARLIER_MAX)] = ()
    """Decided before it, the last one first."""
    challenger: ModelId | None = None
    """Is asked beside the champion, and decides nothing."""
    is_stopped: bool = False
    """No model decides."""


class Listed(NamedTuple):
    """A model file of the folder."""

    model_id: str
    """By the file's name, in hexadecimal."""
    model: Model | None
    fault: str | None
    """Why there is no model in it."""


_decode = msgspec.json.Decoder(Roles)
_Stamp = tuple[int, int, int, int] | None
_LOOK_AGAIN: _Stamp = (-1, -1, -1, -1)
"""No file's: whoever could not be read for want of the disk is looked at each time."""


class Registry:
    """The models of one folder, for rows of one set of features."""

    def __init__(self, folder: Path, features: Sequence[str]) -> None:
        """Read who has which role; a folder that is not there yet holds no model.

        Args:
          folder: where the models are; it is made once one is added.
          features: names of what a row holds, in its order.
        """
        self.folder = folder
        self.roles = Roles()
        self.champion: Model | None = None
        """Who decides; None where nobody does: never promoted, stopped, or at fault."""
        self.challenger: Model | None = None
        self.faults: tuple[str, ...] = ()
        """Why a role that was given is nobody's, in words for whoever runs the node."""
        self._features = tuple(features)
        self._watched: dict[Path, _Stamp] = {}
        """How the files were on which it depends who has which role, and why nobody has."""
        self._refresh()

    def refresh(self) -> bool:
        """Look whether roles have changed, and load who has them now; says whether it looked on.

        Costs a look at one file's date, and at that of each model file that is at fault, where none
        was changed: what is no model is not read again for every payment.
        """
        if all(_look(path) == stamp for path, stamp in self._watched.items()):
            return False
        self._refresh()
        return True

    def get(self, model_id: str) -> Model:
        """Read a model of the folder, and check it.

        Args:
          model_id: the hash of its manifest in hexadecimal.

        Raises:
          NotFound: there is none of this name.
          Invalid: its file is none, was changed, is another model's or for other features.
          Unavailable: it cannot be read.
        """
        path = self._locate(model_id)
        model = read_model(self.read_file(model_id), str(path), self._features)
        found = model.manifest.model_id.hex()
        if found != model_id:
            raise Invalid(
                InvalidCode.MALFORMED,
                f"{path} holds the model {found}: it was renamed, so add it anew",
            )
        return model

    def read_file(self, model_id: str) -> bytes:
        """Read a model's file as it is; nothing in it is checked.

        Raises:
          NotFound: there is none of this name.
          Unavailable: it cannot be read.
        """
        path = self._locate(model_id)
        if not path.exists():
            raise NotFound(f"there is no model {model_id} in {self.folder}", model=model_id)
        return read_file(path, FILE_BYTES_MAX)

    def list_names(self) -> list[str]:
        """List the names of all model files, without opening one."""
        return sorted(path.stem for path in self.folder.glob(f"*{SUFFIX}"))

    def list_models(self, names: Sequence[str] | None = None) -> list[Listed]:
        """List model files; one that does not open is there with its fault.

        Args:
          names: which of them; all, by their names, if not given.
        """
        listed = []
        for name in self.list_names() if names is None else names:
            try:
                listed.append(Listed(name, self.get(name), None))
            except HansaError as error:
                listed.append(Listed(name, None, error.message))
        return listed

    def add(self, raw: bytes, name: str) -> Model:
        """Put a model into the folder, once it is checked; it has no role yet.

        One that is there stays as it is; a damaged file of that model is mended.

        Args:
          raw: the model file.
          name: what it is called in errors.

        Raises:
          Invalid: it is none, was changed, is too large, or is for other features.
          Unavailable: the disk refuses.
        """
        model = read_model(raw, name, self._features)
        model_id = model.manifest.model_id.hex()
        make_folder(self.folder)
        with locked(self.folder):
            with suppress(HansaError):
                return self.get(model_id)
            write_file(self._locate(model_id), raw, replace=True)
        return model

    def promote(self, model_id: str) -> None:
        """Have a model decide from now on; who decided is kept to go back to.

        Raises:
          HansaError: as `get`, or as `read_roles`; nothing was changed.
        """
        self.get(model_id)
        with self._changing() as roles:
            earlier = roles.earlier
            if roles.champion not in (None, model_id):
                earlier = (roles.champion, *earlier)[:EARLIER_MAX]
            challenger = None if roles.challenger == model_id else roles.challenger
            self._write(Roles(1, model_id, earlier, challenger))

    def rollback(self) -> str:
        """Have the model decide that decided before; a second time, the one before that.

        Returns:
          Its hash.

        Raises:
          NotFound: no model decided before.
          HansaError: as `get`, or as `read_roles`; nothing was changed.
        """
        with self._changing() as roles:
            if not roles.earlier:
                raise NotFound("no model decided before this one: promote one by its hash")
            back, *earlier = roles.earlier
            self.get(back)
            challenger = None if roles.challenger == back else roles.challenger
            self._write(Roles(1, back, tuple(earlier), challenger))
        return back

    def stop(self) -> None:
        """Have no model decide until one is promoted or gone back to.

        Works also where the file of roles is damaged; then nothing else of it is kept.

        Raises:
          Unavailable: the disk refuses.
        """
        make_folder(self.folder)
        with locked(self.folder):
            try:
                roles = self.read_roles()
            except Invalid:
                roles = Roles()
            self._write(msgspec.structs.replace(roles, is_stopped=True))

    def set_challenger(self, model_id: str | None) -> None:
        """Have a model be asked beside the champion, or none.

        Raises:
          Invalid: it is the champion.
          HansaError: as `get`, or as `read_roles`; nothing was changed.
        """
        if model_id is not None:
            self.get(model_id)
        with self._changing() as roles:
            if model_id is not None and model_id == roles.champion:
                raise Invalid(
                    InvalidCode.ARGUMENTS, f"{model_id} decides: it cannot challenge itself"
                )
            self._write(msgspec.structs.replace(roles, challenger=model_id))

    def read_roles(self) -> Roles:
        """Read who has which role; nobody has one where there is no such file.

        Raises:
          Invalid: the file is damaged.
          Unavailable: it cannot be read.
        """
        path = self.folder / ROLES_NAME
        try:
            raw = read_file(path, ROLES_BYTES_MAX)
            return _decode.decode(raw)
        except NotFound:
            return Roles()
        except DECODE_ERRORS as error:
            raise Invalid(
                InvalidCode.MALFORMED,
                f"{path} does not say which model decides ({tell_fault(error)}): remove it, and "
                "promote a model",
            ) from None

    def _locate(self, model_id: str) -> Path:
        return self.folder / f"{model_id}{SUFFIX}"

    def _refresh(self) -> None:
        roles_path = self.folder / ROLES_NAME
        # The date first: what changes while we read is then looked at again.
        watched = {roles_path: _look(roles_path)}
        faults: list[str] = []

        def note(path: Path, error: HansaError) -> None:
            faults.append(error.message)
            if isinstance(error, Unavailable):
                watched[path] = _LOOK_AGAIN

        try:
            roles = self.read_roles()
        except HansaError as error:
            note(roles_path, error)
            roles = Roles()
        known = {
            each.manifest.model_id.hex(): each
            for each in (self.champion, self.challenger)
            if each is not None
        }

        def load(model_id: str | None) -> Model | None:
            if model_id is None:
                return None
            if model_id in known:
                return known[model_id]
            path = self._locate(model_id)
            stamp = _look(path)
            try:
                return self.get(model_id)
            except HansaError as error:
                watched[path] = stamp
                note(path, error)
                return None

        self.champion = None if roles.is_stopped else load(roles.champion)
        self.challenger = load(roles.challenger)
        self.roles = roles
        self.faults = tuple(faults)
        self._watched = watched

    def _write(self, roles: Roles) -> None:
        raw = msgspec.json.format(msgspec.json.encode(roles), indent=2) + b"\n"
        write_file(self.folder / ROLES_NAME, raw, replace=True)
        self._refresh()

    @contextmanager
    def _changing(self) -> Iterator[Roles]:
        """Read roles to change them, while nobody else does."""
        make_folder(self.folder)
        with locked(self.folder):
            yield self.read_roles()


def _look(path: Path) -> _Stamp:
    """Look when a file was changed last, and which it is; None if there is none."""
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns
