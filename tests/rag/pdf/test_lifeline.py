"""The process that reads PDFs never outlives the program, not even when that is killed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from rag.pdf import sandbox
from tests.waiting import until

# Starts a child on a file that it never finishes reading, tells its process id, and waits to be killed.
PARENT = """
import pathlib, sys
from rag.messages import Message
from rag.pdf import sandbox
start = sandbox._start
def told(*arguments):
    process = start(*arguments)
    print(process.pid, flush=True)
    return process
sandbox._start = told
bounds = sandbox.Bounds(60, 60, 2**30, 1000, 1000)
step, script = (lambda: Message("")), pathlib.Path(sys.argv[2])
with open(sys.argv[1], "rb") as pdf:
    list(sandbox.frames(pdf, {"do": "read"}, bounds, step=step, script=script))
"""
CHILD = """
import sys, json, time
sys.stdin.buffer.readline()
sys.path.append({folder!r})
import lifeline
if {late}:
    time.sleep(1)
lifeline.end_with_parent()
{work}
"""


@pytest.mark.parametrize("work", ["time.sleep(60)", "while True: pass"], ids=["waiting", "computing"])
@pytest.mark.parametrize("late", [False, True], ids=["running", "only just started"])
def test_a_child_ends_when_its_parent_is_killed(tmp_path, work, late):
    folder = str(Path(sandbox.__file__).parent)
    (tmp_path / "child.py").write_text(CHILD.format(folder=folder, late=late, work=work))
    (tmp_path / "some.pdf").write_bytes(b"%PDF-1.7")
    command = [sys.executable, "-c", PARENT, str(tmp_path / "some.pdf"), str(tmp_path / "child.py")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        child = int(parent.stdout.readline())
        if not late:
            until(lambda: asks_for_signal(child))
        os.kill(parent.pid, signal.SIGKILL)
    until(lambda: not is_running(child), 10)


def asks_for_signal(process: int) -> bool:
    """Whether the process has set O_ASYNC on its standard input."""
    info = Path(f"/proc/{process}/fdinfo/0").read_text("utf-8")
    flags = info.partition("flags:")[2].split()[0]
    return bool(int(flags, 8) & os.O_ASYNC)


def is_running(process: int) -> bool:
    try:
        return Path(f"/proc/{process}/stat").read_text("utf-8").rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False
