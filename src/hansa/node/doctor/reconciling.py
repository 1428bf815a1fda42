"""Looks at what a node that is set to reconcile opens at its start: keys, and its journals."""

from __future__ import annotations

from hansa.node.doctor.checks import Check, Patient, Status
from hansa.node.doctor.encrypted import check_encrypted
from hansa.node.home import CHANNEL_KEY
from hansa.node.reconcile.format import FORM

NAME = "reconciliation"


def check_reconciliation(patient: Patient) -> list[Check]:
    """Look at the keys and the file of journals of a node whose settings name a key for them."""
    settings, home = patient.settings, patient.home
    if settings is None or not settings.reconciliation.key:
        return []
    path = settings.find_path(settings.reconciliation.key)
    if not path.is_file():
        found = "there is no key file, which reconciliation.key of node.toml names"
        mend = "copy it from where it is kept, or take [reconciliation] out"
        return [Check(NAME, Status.FAIL, found, str(path), mend)]
    if not home.key_path(CHANNEL_KEY).is_file():
        found = "there is no channel key, without which banks cannot write to each other"
        mend = "make and publish one (docs/how-to/write-to-another-member.md)"
        return [Check(NAME, Status.FAIL, found, str(home.key_path(CHANNEL_KEY)), mend)]
    return [check_encrypted(patient, NAME, home.journals_path, FORM, "journals")]
