"""Run the plain script that the product is compared with, on given files, and read its report.

The script (pypdf, a recursive splitter, sentence-transformers, flat FAISS; named by --baseline) takes --pdfs,
--questions, --embedder, --scope and --documents, and prints its numbers as one last JSON line.
"""

from __future__ import annotations

import json
import platform
import subprocess
import sys
import time
from pathlib import Path
from typing import Any


def run_baseline(
    script: Path, pdfs: Path, questions: Path, embedder: Path, scope: str, documents: int
) -> dict[str, Any]:
    """The report of the script; its working time includes no start of Python."""
    command = [sys.executable, str(script), "--pdfs", str(pdfs), "--questions", str(questions)]
    command += ["--embedder", str(embedder), "--scope", scope, "--documents", str(documents)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    report: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return report


def machine() -> dict[str, str]:
    """Where and when a number was measured, and on which commit."""
    commit = subprocess.run(["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=False).stdout
    return {
        "date": time.strftime("%Y-%m-%d"),
        "commit": commit.strip(),
        "processor": platform.processor() or platform.machine(),
    }
