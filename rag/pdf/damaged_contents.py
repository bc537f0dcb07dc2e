"""Whether a page that shows nothing has lost its contents to damage. Runs in the child process, with pypdf.

PDFium shows such a page as blank, without any error.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from typing import Any

MAX_STREAMS = 100  # looked at on one page
MAX_BYTES = 1_000_000  # of one stream that are decompressed


def is_damaged(page: Any) -> bool:
    """Whether the contents of a pypdf page are missing, or cannot be decoded. Raises what pypdf raises for damage."""
    return any(_is_broken(stream) for stream in _streams(page))


def _streams(page: Any) -> Iterator[Any]:
    """The content streams of a page, as they are referred to."""
    contents = page.get("/Contents")
    contents = contents.get_object() if contents is not None else []
    for stream in contents[:MAX_STREAMS] if isinstance(contents, list) else [contents]:
        yield stream.get_object()


def _is_broken(stream: Any) -> bool:
    """Whether a stream is missing, does not decompress to its end, or holds nothing but zeros."""
    if not hasattr(stream, "get_data"):
        return True
    raw = bytes(stream._data)  # there is no public way to get the bytes as they are in the file
    filters = stream.get("/Filter")
    if filters == "/FlateDecode" or filters == ["/FlateDecode"]:
        return not _decompresses(raw)
    return bool(raw) and not stream.get_data().strip(b"\0 \t\r\n\f")


def _decompresses(raw: bytes) -> bool:
    """Whether zlib data are complete, as far as they are looked at."""
    packer = zlib.decompressobj()
    try:
        data = packer.decompress(raw, MAX_BYTES)
    except zlib.error:
        return False
    return packer.eof or len(data) >= MAX_BYTES
