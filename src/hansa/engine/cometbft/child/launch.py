"""Becomes another program that dies with its parent: `launch.py PARENT SIGNAL PROGRAM ...`.

Run as a file of its own, without the rest of Hansa. Linux sends the signal that is asked for here
when the parent ends, however it ends, also after this process has become the program. What the
program writes is for its owner alone.

Source: prctl(2), PR_SET_PDEATHSIG; execve(2).
"""

import ctypes
import os
import sys

PR_SET_PDEATHSIG = 1
OTHERS = 0o077


def launch(parent: int, number: int, program: str, arguments: list[str]) -> None:
    """Become the program, unless the parent has gone already.

    Args:
      parent: process that must live.
      number: of the signal that this process gets when the parent ends.
      program: its path.
      arguments: with which it starts.
    """
    if ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, number) != 0:
        sys.exit(f"prctl: {os.strerror(ctypes.get_errno())}")
    if os.getppid() != parent:
        sys.exit("the process that started this one has gone")
    os.umask(OTHERS)
    os.execv(program, [program, *arguments])  # noqa: S606 - no shell is the point


if __name__ == "__main__":
    launch(int(sys.argv[1]), int(sys.argv[2]), sys.argv[3], sys.argv[4:])
