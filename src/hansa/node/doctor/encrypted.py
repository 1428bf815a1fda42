"""Looks at an encrypted file of a node: whether it is there, whole, and opens by its passphrase."""

from __future__ import annotations

from pathlib import Path

from hansa.encrypted_file import Form, check_file
from hansa.kernel.errors import Corrupt, HansaError
from hansa.node.doctor.checks import Check, Patient, Status


def check_encrypted(patient: Patient, name: str, path: Path, form: Form, content: str) -> Check:
    """Look at a file that the node makes at its start.

    Args:
      patient: whose file.
      name: of the check.
      path: of the file.
      form: of its kind.
      content: what is in it, in the plural.
    """
    where = str(path)
    if not path.exists():
        return Check(
            name, Status.OK, f"no {content} yet: the node makes the file at its start", where
        )
    if patient.pid is not None:
        return Check(name, Status.OK, f"the node that runs has the {content} open", where)
    try:
        check_file(path, form, patient.passphrase)
    except Corrupt as error:
        fault, _, mend = error.message.partition(": ")
        return Check(name, Status.FAIL, fault, where, mend)
    except HansaError as error:
        mend = "find the passphrase under which the file was made; let the node's user read it"
        return Check(name, Status.FAIL, error.message, where, mend)
    return Check(name, Status.OK, f"the {content} are whole", where)
