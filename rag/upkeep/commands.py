"""What `--check`, `--repair`, `--backup` and `--restore` do and print."""

from __future__ import annotations

import argparse
from pathlib import Path

from rag.upkeep.backup import back_up
from rag.upkeep.check import check
from rag.upkeep.repair import repair
from rag.upkeep.restore import restore


def care_for(options: argparse.Namespace) -> tuple[str, int] | None:
    """Run the command that was given, if it is one of these; returns what to print and the exit status, else None.

    A check that finds a problem has status 1. Raises StoreError.
    """
    if options.check:
        report = check(options.settings)
        return str(report), 1 if report.problems else 0
    if options.repair:
        done = repair(options.settings)
        return "\n".join(done) or "Nothing was damaged or left behind.", 0
    if options.backup:
        return str(back_up(options.settings, Path(options.backup))), 0
    if options.restore:
        return restore(options.settings, Path(options.restore), overwrite=options.overwrite), 0
    return None
