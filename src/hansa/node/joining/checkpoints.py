"""Checkpoints as files: who signs from some height on, kept by somebody who verified it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from hansa.kernel.calendar import format_iso
from hansa.kernel.errors import Invalid, InvalidCode
from hansa.kernel.genesis import Network
from hansa.kernel.light.trail import CHECKPOINT_BYTES_MAX, Checkpoint, Trail, decode_checkpoint
from hansa.program import name_program
from hansa.sdk.files import read_file


def read_checkpoint(path: Path) -> Checkpoint:
    """Read a checkpoint.

    Raises:
      NotFound: there is no such file.
      Invalid: it is no checkpoint.
    """
    raw = read_file(path, CHECKPOINT_BYTES_MAX)
    try:
        return decode_checkpoint(raw)
    except Invalid as error:
        message = (
            f"{path} is no checkpoint to start from ({error.message}): name a file that "
            f"{name_program()} receipt checkpoint made"
        )
        raise Invalid(error.code, message, path=str(path)) from None


def load_checkpoint(path: Path, network: Network) -> Checkpoint:
    """Read a checkpoint of this network.

    Raises:
      NotFound: there is no such file.
      Invalid: it is no checkpoint, or of another network.
    """
    start = read_checkpoint(path)
    if start.genesis_hash != network.genesis_hash:
        raise Invalid(
            InvalidCode.SIGNATURE,
            f"the checkpoint {path} is of another network: genesis {start.genesis_hash.hex()}, and "
            f"this one is {network.genesis_hash.hex()}",
            path=str(path),
        )
    return start


def describe_trail(trail: Trail | None) -> dict[str, Any]:
    """Describe where validators were followed from, and how many signed; nothing if sealed."""
    if trail is None:
        return {}
    return {
        "checkpoint_height": trail.start.height,
        "checkpoint_time": format_iso(trail.start.time.time_ms, 0),
        "hand_overs": trail.hand_overs,
        "consensus_height": trail.end.height,
        "consensus_time": format_iso(trail.end.time.time_ms, 0),
        "validators_signed": trail.tally.signers,
        "validators": trail.tally.validators,
        "power_signed": trail.tally.power_signed,
        "power": trail.tally.power,
    }
