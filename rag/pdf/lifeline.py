"""Ends a child process together with its parent, however the parent ends. Imported by the child processes alone."""

from __future__ import annotations

import fcntl
import os
import select


def end_with_parent() -> None:
    """Make the kernel end this process once the parent, which holds the other end of standard input, is gone.

    When the last writing end of a pipe closes, it sends SIGIO (fcntl(2), O_ASYNC), whose default action is to end the
    process. Unlike PR_SET_PDEATHSIG that does not depend on which thread of the parent forked, and it needs no thread.
    """
    fcntl.fcntl(0, fcntl.F_SETOWN, os.getpid())
    fcntl.fcntl(0, fcntl.F_SETFL, fcntl.fcntl(0, fcntl.F_GETFL) | os.O_ASYNC)
    if select.select([0], [], [], 0)[0]:  # closed before the signal was asked for
        os._exit(0)
