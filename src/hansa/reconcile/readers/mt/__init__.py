"""MT940 and MT942, the statements and reports of SWIFT, as banks write them."""

from hansa.reconcile.readers.mt.reader import is_mt as is_mt
from hansa.reconcile.readers.mt.reader import read_mt as read_mt
