"""Metadata, page labels and outline of a PDF. Runs in the child process, with pypdf, or PDFium if that is enough."""

from __future__ import annotations

import ctypes
from typing import Any

METADATA = ("Title", "Author", "CreationDate")
MAX_METADATA = 1_000  # characters
MAX_OUTLINE = 5_000  # entries


def may_have_labels(path: str) -> bool:
    """Whether the file may have page labels or an outline; if not, PDFium's metadata are enough, without pypdf."""
    end = b""
    with open(path, "rb") as file:  # noqa: PTH123 - a path of /proc
        while block := file.read(1 << 20):
            if any(name in end + block for name in (b"/ObjStm", b"/PageLabels", b"/Outlines")):
                return True
            end = block[-16:]
    return False


def pdfium_metadata(pdfium: Any, document: Any) -> dict[str, str]:
    """The same as `read_metadata` gives."""
    found, text = {}, ctypes.create_string_buffer(2 * MAX_METADATA)
    for key in METADATA:
        size = pdfium.FPDF_GetMetaText(document, key.encode(), text, len(text))  # in bytes, with the final NUL
        found[key] = text.raw[: max(size - 2, 0)].decode("utf-16-le", "replace") if size <= len(text) else ""
    return found


def read_metadata(reader: Any, _pages: int) -> dict[str, str]:
    """Title, author and creation date, unchanged."""
    return {key: str((reader.metadata or {}).get(f"/{key}") or "")[:MAX_METADATA] for key in METADATA}


def read_labels(reader: Any, pages: int) -> list[str]:
    """A label for each page; empty if the document has none."""
    labels = reader.page_labels[:pages] if "/PageLabels" in reader.root_object else []
    return [str(label)[:40] for label in labels]


def read_outline(reader: Any, _pages: int) -> list[tuple[str, int, int, float | None, float | None]]:
    """Entries (title, level, page, left, top) in order, in points of the page's space; pypdf stops at loops."""
    entries: list[tuple[str, int, int, float | None, float | None]] = []
    stack = [(iter(reader.outline), 1)] if "/Outlines" in reader.root_object else []
    while stack and len(entries) < MAX_OUTLINE:
        items, level = stack[-1]
        item = next(items, None)
        if item is None:
            stack.pop()
        elif isinstance(item, list):  # pypdf limits the depth
            stack.append((iter(item), level + 1))
        else:
            page = reader.get_destination_page_number(item)
            if page is not None and page >= 0:
                left, top = (float(x) if isinstance(x, int | float) else None for x in (item.left, item.top))
                entries.append((str(item.title)[:500], level, page, left, top))
    return entries
