"""OFX: statements of banks, cards and brokers, as SGML (1.x), as XML (2.x), and between the two.

Own tokens instead of a library: `ofxtools` and `ofxparse` read a file whole, refuse what one
field spoils, and hold amounts in `Decimal`; what is needed of either syntax is a few rules.
"""

from hansa.reconcile.readers.ofx.reader import is_ofx as is_ofx
from hansa.reconcile.readers.ofx.reader import read_ofx as read_ofx
