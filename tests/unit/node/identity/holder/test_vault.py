"""The file of a wallet: private, whole, and of one command at a time."""

import secrets
import stat

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.node.identity.issuer.playing import CHEAP

from hansa.cli.main import main
from hansa.identity.keys.kinds import KeyKind
from hansa.identity.keys.signing import generate_private_key
from hansa.identity.wallet.holdings import Disclosure, Holding
from hansa.kernel.errors import Corrupt, Invalid, NotFound, Unavailable
from hansa.node.identity.holder.vault import FILE, Kept, Shown, create_vault, open_vault

KEY = generate_private_key(KeyKind.P256, secrets.token_bytes)
HOLDING = Holding("a.0", "dc+sd-jwt", "x", "https://issuer.example", 1, KEY.public_key)
DISCLOSURE = Disclosure(2, "bank", "a.0", (("given_name",), ("list", None, 0)))


def opened(folder, passphrase="x"):  # noqa: S107
    return open_vault(folder, passphrase, secrets.token_bytes)


@pytest.fixture
def folder(tmp_path):
    create_vault(tmp_path / "w", "x", secrets.token_bytes, CHEAP)
    return tmp_path / "w"


def test_what_was_kept_is_there_again(folder):
    kept, shown = (Kept(HOLDING, "a", KEY),), (Shown(DISCLOSURE, "resident", "1"),)
    with opened(folder) as vault:
        vault.change(kept=kept)
        vault.change(shown=shown)
    with opened(folder) as vault:
        assert (vault.contents.kept, vault.contents.shown) == (kept, shown)
        assert vault.contents.find_signer(KEY.public_key) == KEY
        with pytest.raises(NotFound):
            vault.contents.find("b.0")


def test_nobody_else_reads_it(folder):
    with opened(folder) as vault:
        vault.change(kept=(Kept(HOLDING, "a", KEY),))
    raw = (folder / FILE).read_bytes()
    assert stat.S_IMODE((folder / FILE).stat().st_mode) == 0o600
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert b"issuer.example" not in raw
    assert KEY.secret not in raw
    assert [each.name for each in folder.iterdir()] == [FILE]
    with pytest.raises(Invalid, match="wrong passphrase"), opened(folder, "y"):
        pass


def test_one_command_at_a_time(folder):
    with opened(folder), pytest.raises(Unavailable, match="another command"), opened(folder):
        pass
    with opened(folder):
        pass


def test_a_wallet_is_made_once(folder):
    with pytest.raises(Invalid, match="holds a wallet already"):
        create_vault(folder, "x", secrets.token_bytes, CHEAP)
    with pytest.raises(NotFound, match="hansa id wallet new"), opened(folder.parent / "none"):
        pass


def test_a_wallet_is_made_at_the_command_line(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("HANSA_PASSPHRASE", "a holder's own")
    words = ["--data", str(tmp_path / "new")]
    assert main(["id", "wallet", "new", *words]) == 0
    assert "hansa id wallet receive" in capsys.readouterr().out
    assert main(["id", "wallet", "list", *words]) == 0
    assert "is empty" in capsys.readouterr().out
    assert main(["id", "wallet", "new", *words]) == 2
    monkeypatch.setenv("HANSA_PASSPHRASE", "")
    assert main(["id", "wallet", "new", "--data", str(tmp_path / "none")]) == 2


@given(st.data())
def test_damage_is_told(tmp_path_factory, data):
    folder = tmp_path_factory.mktemp("damaged") / "w"
    create_vault(folder, "x", secrets.token_bytes, CHEAP)
    raw = bytearray((folder / FILE).read_bytes())
    place = data.draw(st.integers(0, len(raw) - 1))
    raw[place] ^= data.draw(st.integers(1, 255))
    (folder / FILE).write_bytes(raw)
    with pytest.raises(Corrupt, match="put a copy back"), opened(folder):
        pass


@given(st.binary(max_size=200))
def test_any_file_is_read_or_refused(tmp_path_factory, raw):
    folder = tmp_path_factory.mktemp("any")
    (folder / FILE).write_bytes(raw)
    with pytest.raises(Corrupt), opened(folder):
        pass
