"""BAI2: what banks in North America report of balances and movements, of a day or within one."""

from hansa.reconcile.readers.bai2.reader import CURRENCY_USUAL as CURRENCY_USUAL
from hansa.reconcile.readers.bai2.reader import is_bai2 as is_bai2
from hansa.reconcile.readers.bai2.reader import read_bai2 as read_bai2
