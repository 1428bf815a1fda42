"""Keys and their encrypted files: pairs that sign, and channel keys that messages are sealed to."""

from hansa.passphrases import DEFAULT_COST as DEFAULT_COST
from hansa.passphrases import ScryptCost as ScryptCost
from hansa.sdk.keys.channel import ChannelKey as ChannelKey
from hansa.sdk.keys.channel import is_channel_key_file as is_channel_key_file
from hansa.sdk.keys.channel import load_channel_key as load_channel_key
from hansa.sdk.keys.channel import load_public_channel_key as load_public_channel_key
from hansa.sdk.keys.channel import save_channel_key as save_channel_key
from hansa.sdk.keys.files import FILE_BYTES_MAX as FILE_BYTES_MAX
from hansa.sdk.keys.pairs import SUITE_NAMES as SUITE_NAMES
from hansa.sdk.keys.pairs import SUITES as SUITES
from hansa.sdk.keys.pairs import KeyPair as KeyPair
from hansa.sdk.keys.pairs import load_key as load_key
from hansa.sdk.keys.pairs import save_key as save_key
