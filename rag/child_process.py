"""Runs a module of this program in a process of its own."""

from __future__ import annotations

import os
import socket
import subprocess
import sys


def start_module(
    module: str, control: socket.socket, *, new_session: bool = False, **environment: str
) -> subprocess.Popen[bytes]:
    """Start a module with `control` as its standard input; its output is discarded.

    It imports from the same places as this process, and gets no other environment variables than those given here.
    `new_session`: signals to this process's group do not reach it.
    """
    return subprocess.Popen(
        [sys.executable, "-P", "-m", module],
        stdin=control.fileno(),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env={
            "LC_ALL": "C.UTF-8",
            "PYTHONPATH": os.pathsep.join(path or os.getcwd() for path in sys.path),  # noqa: PTH109
            "TOKENIZERS_PARALLELISM": "false",
            "OPENBLAS_NUM_THREADS": "1",
            **environment,
        },
        start_new_session=new_session,
    )
