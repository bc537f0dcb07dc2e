"""Run the plain RAG script that this project is compared with, and read its report.

The script (pypdf, a recursive text splitter, sentence-transformers, a flat FAISS index; its path is --baseline) takes
--pdfs, --questions, --embedder, --scope and --documents, and prints its results as JSON on the last line.
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
    """The script's report. Its times do not include starting Python."""
    command = [sys.executable, str(script), "--pdfs", str(pdfs), "--questions", str(questions)]
    command += ["--embedder", str(embedder), "--scope", scope, "--documents", str(documents)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    report: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return report


def machine() -> dict[str, str]:
    """When, on which commit and on which processor a result was measured."""
    commit = subprocess.run(["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=False).stdout
    return {
        "date": time.strftime("%Y-%m-%d"),
        "commit": commit.strip(),
        "processor": platform.processor() or platform.machine(),
    }
