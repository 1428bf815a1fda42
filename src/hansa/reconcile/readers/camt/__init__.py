"""ISO 20022 camt.052, camt.053 and camt.054: reports, statements and notifications of a bank.

The document is read in two halves that do not need each other. Its frame, all but the entries, goes
through expat from end to end. Its entries are cut out at their tags and read apart, in other
processes if there are many: a document is well-formed if its frame is, and each entry is.
"""

from hansa.reconcile.readers.camt.reader import is_camt as is_camt
from hansa.reconcile.readers.camt.reader import read_camt as read_camt
