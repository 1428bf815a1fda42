"""Looks at what ends a node that starts: its file of messages, and how it ended last."""

from __future__ import annotations

from hansa.kernel.errors import Corrupt, HansaError
from hansa.node.channel.database import check_database
from hansa.node.doctor.checks import Check, Patient, Status
from hansa.node.home import CHANNEL_KEY
from hansa.node.network.folders import NodeFolder, name_logs
from hansa.node.network.logs import name_start, read_end
from hansa.node.network.stopping import find_owner
from hansa.node.settings import Settings


def check_messages(patient: Patient) -> list[Check]:
    """Look at the file of messages between members, which a node with a channel key opens."""
    home = patient.home
    path = home.messages_path
    if not (path.exists() and home.key_path(CHANNEL_KEY).exists()):
        return []
    if patient.pid is not None:
        return [Check("messages", Status.OK, "the node that runs has them open", str(path))]
    try:
        check_database(path)
    except Corrupt as error:
        found, _, mend = error.message.partition(": ")
        return [Check("messages", Status.FAIL, found, str(path), mend)]
    except HansaError as error:
        mend = "look at the disk, and let the node's user read the file"
        return [Check("messages", Status.FAIL, error.message, str(path), mend)]
    return [Check("messages", Status.OK, "the file is whole", str(path))]


def check_end(patient: Patient) -> list[Check]:
    """Look how a node of a network on this machine ended last, if it has not answered since.

    Who supervises it notes that; where nobody does, it may have been mended since, and a node that
    runs was started by other means.
    """
    home, folder = patient.home, patient.home.path.absolute().parent
    node = NodeFolder(home.path.absolute().name, home, patient.settings or Settings())
    end, supervisor = read_end(node.end_path), find_owner(folder)
    if end is None or (supervisor is None and patient.pid is not None):
        return []
    where = f"{node.end_path}, {node.log_path}"
    if supervisor is None:
        found = f"when it ran last, it {end.how}; it has not answered since"
        mend = "mend that, if it was not done since; this goes once the node answers"
        return [Check("last end", Status.WARN, found, where, mend)]
    found = f"it {end.how}; it has not answered since"
    mend = f"mend that; what it said before: {name_logs(folder)} --node {node.name}"
    if end.again_ms is None:
        mend += f". It was left: then start it by {name_start(home.path)}"
    return [Check("last end", Status.FAIL, found, where, mend)]
