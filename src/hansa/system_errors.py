"""What whoever runs a command or a node does about an error of the system, by its number.

Source: errno(3).
"""

from __future__ import annotations

import errno
from collections.abc import Mapping
from types import MappingProxyType

_FORBIDDEN = "this user may not do that there: correct the owner or the permissions"
ADVICE: Mapping[int, str] = MappingProxyType(
    {
        errno.ENOSPC: "the disk is full: free some space, then run the command again",
        errno.EDQUOT: (
            "this user's quota of the disk is used up: remove some of its files or have the quota "
            "raised, then run the command again"
        ),
        errno.EIO: (
            "the disk reports an error, and trying again will not mend it: look into the system's "
            "log (dmesg), replace the disk, and restore the folder from a backup"
        ),
        errno.EROFS: (
            "its file system is mounted read-only, as a system does after a fault of the disk: "
            "look into the system's log (dmesg), and mount it for writing once the disk is sound"
        ),
        errno.EACCES: _FORBIDDEN,
        errno.EPERM: _FORBIDDEN,
        errno.EMFILE: "this process has too many files open: raise ulimit -n",
        errno.ENFILE: "this machine has too many files open: raise fs.file-max",
        errno.EFBIG: "the file would be larger than this system lets it be: raise ulimit -f",
        errno.ESTALE: "its network disk is gone: mount it again, then run the command again",
    }
)
"""What is wrong and what to do, by the number of the error."""
