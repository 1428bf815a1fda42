"""The block log: the durable truth of a node, its one writer, and readers beside it."""

from hansa.engine.log.reader import BlockReader as BlockReader
from hansa.engine.log.writer import PRUNED_SEGMENT_BYTES as PRUNED_SEGMENT_BYTES
from hansa.engine.log.writer import SEGMENT_BYTES as SEGMENT_BYTES
from hansa.engine.log.writer import BlockLog as BlockLog
