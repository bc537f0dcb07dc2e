"""A short run of `benchmarks.faults`: each kind of fault, and nothing lost, left behind or back after it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]


@pytest.mark.slow
def test_after_a_kill_a_full_disk_a_lost_folder_or_a_flipped_byte_all_documents_are_whole_and_nothing_is_left():
    command = [sys.executable, "-m", "benchmarks.faults", "--kills", "3", "--writes", "4", "--others", "1"]
    run = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True, timeout=600)
    result = json.loads(run.stdout.splitlines()[-1])
    assert len(result["done"]) == 6
    assert sum(result["failed"].values()) == 0, run.stdout
