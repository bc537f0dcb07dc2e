"""Finds what is laid out wrongly: text and controls that stick out of their panel, are cut off, or cross each other."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from playwright.sync_api import Page

_SCRIPT = Path(__file__).with_suffix(".js")


def faults(page: Page) -> list[str]:
    """What sticks out, is cut off or crosses something else in the panels that are shown; empty if all is well."""
    return list(page.evaluate(_SCRIPT.read_text("utf-8")))
