"""The child process that opens a stranger's PDF: reads its text, looks twice, draws a page, takes a password off.

Run by path, isolated, never imported; the standard library, pypdfium2 and pypdf are all it loads, to fit 256 MB. It
is expected to die of hostile files; `worker` says what that death means. Standard input: the command, a JSON object.
Standard output: frames, each three little-endian uint32 (bytes of JSON, text, words), the JSON, the text (UTF-8, or
RGB pixels), the words (n int32 pairs: start, end; 2n float32 quadruples: boxes of first and last character, points).
"""

from __future__ import annotations

import ctypes
import gc
import importlib
import io
import json
import os
import re
import resource
import signal
import struct
import sys
import unicodedata
from array import array
from collections import deque
from collections.abc import Iterable
from contextlib import closing
from itertools import chain, repeat
from typing import Any, NoReturn

INFO_CPU_SECONDS = 3  # for the outline, as for page labels and metadata
METADATA = ("Title", "Author", "CreationDate")
LONGEST_METADATA = 1_000  # characters
MAX_OUTLINE = 5_000  # entries
MAX_OBJECTS = 2_000  # looked at on a page with hardly any text
RECTANGLE = 16  # bytes of an FS_RECTF
LITTLE_TEXT = 100  # characters below which a page's objects are counted
PERMIT_COPY = 1 << 4  # PDF 32000-1, table 22, bit 5
OUT_OF_MEMORY = 77  # exit status
NO_PASSWORD = 4  # FPDF_ERR_PASSWORD
CJK = "\u1100-\u11ff\u2e80-\ua4cf\uac00-\ud7ff\uf900-\ufaff\ufe30-\ufe4f\uff00-\uffef\U00020000-\U0003ffff"
WORD = re.compile(f"[{CJK}]+|[^\\s\ufffe{CJK}]+")  # U+FFFE: PDFium's hyphen at the end of a line


class OutOfTime(BaseException):
    """The processor time for the information about the document is spent; no library may swallow it."""


class Output:
    """Frames to the parent."""

    def __init__(self) -> None:
        self._out = os.dup(1)
        os.close(1)
        os.open(os.devnull, os.O_WRONLY)  # becomes 1: whatever a library prints is no frame

    def send(self, meta: dict[str, Any], text: bytes = b"", words: bytes = b"") -> None:
        """Write one frame."""
        head = json.dumps(meta).encode()
        data = memoryview(b"".join((struct.pack("<III", len(head), len(text), len(words)), head, text, words)))
        while data:
            data = data[os.write(self._out, data) :]

    def refuse(self, why: str, **details: Any) -> NoReturn:
        """Say why the file is not read, and end."""
        self.send({"kind": "refused", "why": why, **details})
        raise SystemExit(0)


def limit_process(command: dict[str, Any]) -> None:
    """Bound memory (bytes) and processor time (seconds); no core dumps, no files written."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    resource.setrlimit(resource.RLIMIT_AS, (command["memory"], command["memory"]))
    resource.setrlimit(resource.RLIMIT_CPU, (command["cpu"], command["cpu"] + 1))


def open_pdfium(pdfium: Any, path: str, password: str | None) -> tuple[Any, int]:
    """The document, or None and the FPDF_ERR_ code."""
    pdfium.FPDF_InitLibrary()
    tries: list[bytes | None] = [None]
    if password is not None:
        forms = (password, unicodedata.normalize("NFKC", password))  # revision 6 asks for SASLprep
        tries += [form.encode(code, "ignore") for form in forms for code in ("utf-8", "latin-1")]
    for attempt in dict.fromkeys(tries):
        document = pdfium.FPDF_LoadDocument(path.encode(), attempt)
        if document:
            return document, 0
        code = pdfium.FPDF_GetLastError()
        if code != NO_PASSWORD:
            return None, code
    return None, NO_PASSWORD


class PdfiumPage:
    """One page open in PDFium, with its text."""

    text: Any = None  # its FPDF_TEXTPAGE

    def __init__(self, pdfium: Any, document: Any, number: int) -> None:
        self.pdfium = pdfium
        prototype = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.c_int, ctypes.c_void_p)
        self.box = prototype(ctypes.cast(pdfium.FPDFText_GetLooseCharBox, ctypes.c_void_p).value or 0)
        self.page = pdfium.FPDF_LoadPage(document, number)
        if self.page:
            self.text = pdfium.FPDFText_LoadPage(self.page)

    def close(self) -> None:
        """Free both."""
        if self.text:
            self.pdfium.FPDFText_ClosePage(self.text)
        if self.page:
            self.pdfium.FPDF_ClosePage(self.page)

    def geometry(self) -> dict[str, Any]:
        """Size as shown in points, and the affine map from points in the page's space to fractions of it."""
        scale, x, y = 1_000_000, ctypes.c_int(), ctypes.c_int()
        seen = []
        for point in ((0, 0), (100, 0), (0, 100)):
            self.pdfium.FPDF_PageToDevice(self.page, 0, 0, scale, scale, 0, *point, x, y)
            seen.append((x.value / scale, y.value / scale))
        (e, f), (ax, ay), (bx, by) = seen
        affine = [(ax - e) / 100, (ay - f) / 100, (bx - e) / 100, (by - f) / 100, e, f]
        width, height = self.pdfium.FPDF_GetPageWidthF(self.page), self.pdfium.FPDF_GetPageHeightF(self.page)
        return {"width": width, "height": height, "map": affine}

    def read(self, count: int) -> tuple[str, list[int] | None]:
        """The text, and the character index in PDFium of each of its characters (None: the same)."""
        buffer = (ctypes.c_ushort * (count * 2 + 1))()
        units = self.pdfium.FPDFText_GetText(self.text, 0, count, buffer)
        text = bytes(memoryview(buffer).cast("B")[: max(units - 1, 0) * 2]).decode("utf-16-le", "replace")
        if len(text) == count and units == count + 1:
            return text, None
        return self._read_one_by_one(count)

    def _read_one_by_one(self, count: int) -> tuple[str, list[int]]:
        """As `read`, for a page whose text leaves characters out or holds surrogates."""
        letters, indices = list[str](), list[int]()
        for index in range(count):
            code = self.pdfium.FPDFText_GetUnicode(self.text, index)
            if 0xDC00 <= code < 0xE000 and letters and 0xD800 <= ord(letters[-1]) < 0xDC00:
                letters[-1] = (letters[-1] + chr(code)).encode("utf-16-le", "surrogatepass").decode("utf-16-le")
            elif 0 < code <= 0x10FFFF:
                letters.append(chr(code))
                indices.append(index)
        return "".join(letters), indices

    def words(self, text: str, indices: list[int] | None) -> bytes:
        """Spans of the runs without white space and the boxes of their first and last characters."""
        spans = array("i", chain.from_iterable(map(re.Match.span, WORD.finditer(text))))
        characters = spans.tolist()
        characters[1::2] = [end - 1 for end in characters[1::2]]
        characters = characters if indices is None else [indices[character] for character in characters]
        boxes = (self.pdfium.FS_RECTF * len(spans))()
        places = range(ctypes.addressof(boxes), ctypes.addressof(boxes) + max(ctypes.sizeof(boxes), 1), RECTANGLE)
        # Called by address, in a loop without Python code: this is a fifth of all reading.
        handle = ctypes.cast(self.text, ctypes.c_void_p).value
        deque(map(self.box, repeat(handle), characters, places), maxlen=0)
        return spans.tobytes() + bytes(boxes)

    def objects(self) -> dict[str, float]:
        """How many text, picture and other objects it has, and the largest picture's share of the page."""
        api, left = self.pdfium, MAX_OBJECTS
        found: dict[str, float] = {"texts": 0, "images": 0, "paths": 0, "cover": 0.0}
        area = max(api.FPDF_GetPageWidthF(self.page) * api.FPDF_GetPageHeightF(self.page), 1.0)
        inside = [(self.page, api.FPDFPage_CountObjects, api.FPDFPage_GetObject, 0)]
        while inside:
            parent, count, get, depth = inside.pop()
            for index in range(min(count(parent), left)):
                left -= 1
                thing = get(parent, index)
                kind = api.FPDFPageObj_GetType(thing)
                if kind == api.FPDF_PAGEOBJ_FORM and depth < 4:
                    inside.append((thing, api.FPDFFormObj_CountObjects, api.FPDFFormObj_GetObject, depth + 1))
                elif kind == api.FPDF_PAGEOBJ_IMAGE:
                    west, south, east, north = (ctypes.c_float() for _ in range(4))
                    api.FPDFPageObj_GetBounds(thing, west, south, east, north)
                    share = abs((east.value - west.value) * (north.value - south.value)) / area
                    found["cover"] = max(found["cover"], 1.0 if depth else share)  # in a form: its own points
                    found["images"] += 1
                else:
                    found["texts" if kind == api.FPDF_PAGEOBJ_TEXT else "paths"] += 1
        return found


def send_pdfium_pages(pdfium: Any, document: Any, count: int, command: dict[str, Any], output: Output) -> None:
    """Every page: text, words, geometry, and the objects of those with little text."""
    total = 0
    for number in range(count):
        with closing(PdfiumPage(pdfium, document, number)) as page:
            if not page.text:
                output.send({"kind": "page", "number": number, "failed": True})
                continue
            length = max(pdfium.FPDFText_CountChars(page.text), 0)
            total += length
            check_characters(number, length, total, command, output)
            text, indices = page.read(length)
            meta = {"kind": "page", "number": number, **page.geometry()}
            if len(text) < LITTLE_TEXT:
                meta |= page.objects()
            output.send(meta, text.encode("utf-8", "replace"), page.words(text, indices))


def check_characters(number: int, length: int, total: int, command: dict[str, Any], output: Output) -> None:
    """End with a refusal over a limit."""
    if length > command["page_characters"]:
        output.refuse("page_characters", value=length, page=number)
    if total > command["document_characters"]:
        output.refuse("document_characters", value=total, page=number)


def open_pypdf(path: str, password: str | None) -> Any:
    """A reader, decrypted. Raises PermissionError when the password does not open it, pypdf's errors otherwise."""
    reader = importlib.import_module("pypdf").PdfReader(open(path, "rb"), strict=False)  # noqa: SIM115, PTH123
    if reader.is_encrypted and not (reader.decrypt("") or (password and reader.decrypt(password))):
        raise PermissionError("password")
    return reader


def send_pypdf_pages(reader: Any, numbers: Iterable[int], command: dict[str, Any], output: Output) -> None:
    """These pages as pypdf reads them: no words, hence no boxes."""
    total = 0
    for number in numbers:
        meta: dict[str, Any] = {"kind": "page", "number": number}
        try:
            page = reader.pages[number]
            text = page.extract_text()
            size = float(page.cropbox.width), float(page.cropbox.height)
            meta["width"], meta["height"] = size[::-1] if page.rotation % 180 else size
        except Exception:  # noqa: BLE001 - the edge "page": pypdf raises anything; the other pages are kept
            meta, text = meta | {"failed": True}, ""
        total += len(text)
        check_characters(number, len(text), total, command, output)
        output.send(meta, text.encode("utf-8", "replace"))


def send_info(reader: Any, pages: int, output: Output) -> None:
    """Title, author, date, page labels and outline, in bounded time; each may be missing."""

    def stop(*_: object) -> NoReturn:
        raise OutOfTime

    signal.signal(signal.SIGPROF, stop)
    info: dict[str, Any] = {"kind": "info"}
    for name, read in (("metadata", read_metadata), ("labels", read_labels), ("outline", read_outline)):
        try:
            signal.setitimer(signal.ITIMER_PROF, INFO_CPU_SECONDS)
            info[name] = read(reader, pages)
        except (Exception, OutOfTime):  # noqa: BLE001 - the edge "document": the text is worth having without
            info.setdefault("failed", []).append(name)
    signal.setitimer(signal.ITIMER_PROF, 0)
    output.send(info)


def has_tables(path: str) -> bool:
    """Whether the file may hold labels or an outline; else PDFium knows as much and pypdf need not be started."""
    end = b""
    with open(path, "rb") as file:  # noqa: PTH123 - a path of /proc
        while block := file.read(1 << 20):
            if any(name in end + block for name in (b"/ObjStm", b"/PageLabels", b"/Outlines")):
                return True
            end = block[-16:]
    return False


def pdfium_metadata(pdfium: Any, document: Any) -> dict[str, str]:
    """The same as `read_metadata` gives."""
    found, text = {}, ctypes.create_string_buffer(2 * LONGEST_METADATA)
    for key in METADATA:
        size = pdfium.FPDF_GetMetaText(document, key.encode(), text, len(text))  # bytes, its final NUL too
        found[key] = text.raw[: max(size - 2, 0)].decode("utf-16-le", "replace") if size <= len(text) else ""
    return found


def read_metadata(reader: Any, _pages: int) -> dict[str, str]:
    """Title, author and date as they stand."""
    return {key: str((reader.metadata or {}).get(f"/{key}") or "")[:LONGEST_METADATA] for key in METADATA}


def read_labels(reader: Any, pages: int) -> list[str]:
    """A label a page; none when the document has none."""
    if "/PageLabels" not in reader.root_object:
        return []
    return [str(label)[:40] for label in reader.page_labels[:pages]]


def read_outline(reader: Any, _pages: int) -> list[tuple[str, int, int, float | None, float | None]]:
    """(title, level, page, left, top) in points of the page, in order; loops are pypdf's to break."""
    entries: list[tuple[str, int, int, float | None, float | None]] = []
    if "/Outlines" not in reader.root_object:
        return entries
    stack = [(iter(reader.outline), 1)]
    while stack and len(entries) < MAX_OUTLINE:
        items, level = stack[-1]
        item = next(items, None)
        if item is None:
            stack.pop()
        elif isinstance(item, list):  # pypdf bounds the depth
            stack.append((iter(item), level + 1))
        else:
            page = reader.get_destination_page_number(item)
            if page is not None and page >= 0:
                left, top = (float(x) if isinstance(x, int | float) else None for x in (item.left, item.top))
                entries.append((str(item.title)[:500], level, page, left, top))
    return entries


def read_document(command: dict[str, Any], output: Output) -> None:
    """All pages by PDFium, or by pypdf where PDFium cannot open it; then the information about the document."""
    path, password = command["file"], command.get("password")
    if "again" in command:  # some pages once more, by pypdf
        return send_pypdf_pages(open_second(path, password, 0, output), command["again"], command, output)
    pdfium = importlib.import_module("pypdfium2_raw")
    document, code = (None, 0) if command.get("only_pypdf") else open_pdfium(pdfium, path, password)
    reader = None
    if document:
        count = pdfium.FPDF_GetPageCount(document)
        permitted = pdfium.FPDF_GetDocPermissions(document) & PERMIT_COPY  # all are where it is not encrypted
        form = pdfium.FPDF_GetFormType(document)
        opened = {"kind": "open", "pages": count, "locked": not permitted, "xfa": form in (2, 3)}
    else:
        reader = open_second(path, password, code, output)
        count = len(reader.pages)
        opened = {"kind": "open", "pages": count, "engine": "pypdf"}
    if count > command["pages"]:
        output.refuse("pages", value=count)
    if count < 1:
        output.refuse("no_pages")
    output.send(opened)
    if document:
        send_pdfium_pages(pdfium, document, count, command, output)
    else:
        send_pypdf_pages(reader, range(count), command, output)
    output.send({"kind": "pages_done"})
    if document and not has_tables(path):
        return output.send({"kind": "info", "metadata": pdfium_metadata(pdfium, document)})
    try:
        reader = reader or open_pypdf(path, password)
    except Exception:  # noqa: BLE001 - the edge "document": PDFium read it, pypdf cannot open it
        return output.send({"kind": "info", "failed": ["metadata", "labels", "outline"]})
    send_info(reader, count, output)


def open_second(path: str, password: str | None, code: int, output: Output) -> Any:
    """The reader of pypdf for a document that PDFium does not open, or the refusal both agree on."""
    try:
        reader = open_pypdf(path, password)
        len(reader.pages)
    except PermissionError:
        output.refuse("password")
    except Exception:  # noqa: BLE001 - the edge "document": whatever pypdf raises, neither of the two opens it
        output.refuse("password" if code == NO_PASSWORD else "damaged")
    return reader


def draw(command: dict[str, Any], output: Output) -> None:
    """One page as RGB pixels, annotations and form fields drawn in; no script is run, no link followed."""
    pdfium = importlib.import_module("pypdfium2_raw")
    document, code = open_pdfium(pdfium, command["file"], command.get("password"))
    if not (page := document and pdfium.FPDF_LoadPage(document, command["page"])):
        if not document:
            output.refuse("password" if code == NO_PASSWORD else "damaged")
        output.refuse("no_page", value=pdfium.FPDF_GetPageCount(document))
    points = [max(get(page), 1.0) for get in (pdfium.FPDF_GetPageWidthF, pdfium.FPDF_GetPageHeightF)]
    scale = command["pixels_wide"] * min(1 / points[0], command["tallest"] / points[1])
    width, height = (max(int(length * scale), 1) for length in points)
    pixels = (ctypes.c_ubyte * (width * height * 3))()
    bitmap = pdfium.FPDFBitmap_CreateEx(width, height, pdfium.FPDFBitmap_BGR, pixels, width * 3)
    pdfium.FPDFBitmap_FillRect(bitmap, 0, 0, width, height, 0xFFFFFFFF)
    pdfium.FPDF_RenderPageBitmap(
        bitmap, page, 0, 0, width, height, 0, pdfium.FPDF_ANNOT | pdfium.FPDF_REVERSE_BYTE_ORDER
    )
    output.send({"kind": "picture", "width": width, "height": height}, bytes(pixels))


def unlock(command: dict[str, Any], output: Output) -> None:
    """The document without its encryption, written anew by pypdf."""
    reader = open_second(command["file"], command["password"], 0, output)
    written = io.BytesIO()
    importlib.import_module("pypdf").PdfWriter(clone_from=reader).write(written)
    output.send({"kind": "unlocked"}, written.getvalue())


def main() -> None:
    """Read the command, limit this process, do it."""
    command = json.load(sys.stdin.buffer)
    limit_process(command)
    gc.disable()  # a short life: looking for cycles costs more than they do
    sys.path.extend(command["path"])
    sys.modules["PIL"] = None  # type: ignore[assignment]  # pypdf imports it for pictures, which nobody asks for
    output = Output()
    try:
        {"read": read_document, "draw": draw, "unlock": unlock}[command["do"]](command, output)
    except MemoryError:
        os._exit(OUT_OF_MEMORY)
    output.send({"kind": "end"})
    os._exit(0)  # nothing to tidy up: PDFium's own clean-up of a broken document is one more chance to crash


if __name__ == "__main__":
    main()
