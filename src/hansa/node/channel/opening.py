"""Opening the channel of a data folder: its key, its file, and the way to other nodes."""

from __future__ import annotations

import ssl
from random import SystemRandom

from hansa.engine.chain import Chain
from hansa.kernel.errors import Invalid, InvalidCode
from hansa.node.channel.http import HttpCarrier
from hansa.node.channel.inbox import InboxLimits
from hansa.node.channel.outbox import OutboxLimits
from hansa.node.channel.service import Identity, MessageChannel
from hansa.node.home import CHANNEL_KEY, Home
from hansa.node.service import wall_clock_ms
from hansa.node.settings import Settings
from hansa.sdk.files import check_file
from hansa.sdk.keys import ChannelKey, KeyPair, load_channel_key

DAY_MS = 86_400_000


def load_own_key(home: Home, passphrase: str) -> ChannelKey | None:
    """Load the folder's channel key; None if it has none, and so neither sends nor takes.

    Raises:
      Invalid: wrong passphrase, or the file is damaged.
    """
    path = home.key_path(CHANNEL_KEY)
    return load_channel_key(path, passphrase) if path.exists() else None


def open_channel(
    home: Home,
    settings: Settings,
    chain: Chain,
    sponsor: tuple[bytes, KeyPair],
    channel_key: ChannelKey | None,
) -> MessageChannel | None:
    """Open the channel of a folder, to be started.

    Args:
      home: the data folder.
      settings: bounds, and whom to believe about other nodes.
      chain: whose members and nodes count.
      sponsor: the node's member, and the key with which its server signs.
      channel_key: what others encrypt to; without one there is no channel.

    Raises:
      Invalid: `channel.ca` names no certificates.
      Corrupt: the file of messages is damaged.
      Unavailable: the disk refuses.
    """
    if channel_key is None:
        return None
    found = settings.channel
    kept_ms = found.kept_days * DAY_MS
    limits = (
        OutboxLimits(found.outbox_messages, found.outbox_bytes, kept_ms),
        InboxLimits(found.inbox_messages, found.inbox_bytes, kept_ms),
    )
    carrier = HttpCarrier(build_client_tls(settings))
    identity = Identity(*sponsor, channel_key)
    return MessageChannel(
        chain,
        identity,
        home.messages_path,
        limits,
        carrier,
        clock_ms=wall_clock_ms,
        random=SystemRandom(),
    )


def build_client_tls(settings: Settings) -> ssl.SSLContext | None:
    """Build what believes the authorities of `channel.ca`; None to believe the system's.

    Raises:
      NotFound: there is no such file.
      Invalid: it holds no certificate.
    """
    if not settings.channel.ca:
        return None
    path = settings.find_path(settings.channel.ca)
    check_file(path)
    try:
        return ssl.create_default_context(cafile=path)
    except ssl.SSLError as error:
        raise Invalid(
            InvalidCode.MALFORMED,
            f"channel.ca of {settings.folder}/node.toml: {path} holds no certificate in PEM: "
            f"{error}",
            path=str(path),
        ) from None
