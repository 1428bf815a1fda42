"""A folder with a small sanctions list, and customers two of whom bear names that are on it."""

from __future__ import annotations

from tests.world import key

from hansa.kernel.crypto.address import to_text

SDN = (
    '36,"AEROCARIBBEAN AIRLINES",-0- ,"CUBA",-0- ,-0- ,-0- ,-0- ,-0- ,-0- ,-0- ,-0- \n'
    '173,"ANGLO-CARIBBEAN CO., LTD.",-0- ,"CUBA",-0- ,-0- ,-0- ,-0- ,-0- ,-0- ,-0- ,-0- \n'
    '306,"GARCIA LOPEZ, Ramiro","individual","CUBA",-0- ,-0- ,-0- ,-0- ,-0- ,-0- ,-0- ,'
    '"DOB 14 Jun 1975; nationality Cuba."\n'
)
ALIASES = '306,1,"aka","GARCIA, Ramirito",-0- \n'
RAMIRO, SHOP = "Ramiro García López", "Anglo-Caribbean Co. Ltd."


def write_wallet(name):
    return to_text(key(name).address)


def write_customers(folder, *others, wallets=("ann", "shop", "bob")):
    """Put list and customers into an operator's folder: of the wallets, the first two are hits."""
    (folder / "sanctions").mkdir(parents=True, exist_ok=True)
    (folder / "sanctions" / "SDN.CSV").write_text(SDN)
    (folder / "sanctions" / "alt.csv").write_text(ALIASES)
    known = [(RAMIRO, "1975-06-14", "Cuba"), (SHOP, "", "")]
    known += [("Wong Ka Lei", "1990", "China; Portugal")]
    rows = [(wallet, *each) for wallet, each in zip(wallets, known, strict=True)] + list(others)
    lines = [",".join((write_wallet(wallet), *rest)) for wallet, *rest in rows]
    (folder / "customers.csv").write_text("\n".join(["wallet,name,born,country", *lines, ""]))


def write_clearing(folder, wallet, entry, name, until=""):
    line = f"{write_wallet(wallet)},{entry},{name},born elsewhere,{until},Ms Lei\n"
    (folder / "cleared.csv").write_text(f"wallet,entry,name,why,until,by\n{line}")
