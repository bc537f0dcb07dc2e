"""The child process that opens an untrusted PDF: reads its text, draws a page or removes its password.

Run as a script, isolated, never imported; it loads only the standard library, pypdfium2 and pypdf, to fit 256 MB.
Hostile files may kill it; `sandbox` tells why from the exit status. Standard input: the command, JSON on one line.
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
import zlib
from array import array
from collections import deque
from collections.abc import Callable, Iterable
from contextlib import closing
from itertools import chain, repeat
from typing import Any, NoReturn

INFO_CPU_SECONDS = 3  # each for metadata, page labels and outline
Command = dict[str, Any]
MAX_OBJECTS = 2_000  # counted on a page with little text
RECTANGLE_BYTES = 16  # of an FS_RECTF
LONGEST_STRING = 32_767  # bytes of a string that PDFium keeps; it drops the rest without any error
MAX_STRINGS = 500  # of a long page, that are examined
LITTLE_TEXT = 100  # characters below which a page's objects are counted
PERMIT_COPY = 1 << 4  # PDF 32000-1, table 22, bit 5
OUT_OF_MEMORY = 77  # exit status
NO_PASSWORD, NO_HANDLER = 4, 5  # FPDF_ERR_PASSWORD, FPDF_ERR_SECURITY
ERRORS = (ArithmeticError, AssertionError, AttributeError, EOFError, ImportError, LookupError, MemoryError, OSError,
          RuntimeError, StopIteration, TypeError, ValueError, struct.error, zlib.error)  # fmt: skip
CJK = "\u1100-\u11ff\u2e80-\u2fff\u3001-\ua4cf\uac00-\ud7ff\uf900-\ufaff\ufe30-\ufe4f\uff00-\uffef\U00020000-\U0003ffff"
WORD = re.compile(f"[{CJK}]+|[^\\s\ufffe{CJK}]+")  # U+FFFE: PDFium's hyphen at the end of a line


class OutOfTime(BaseException):
    """INFO_CPU_SECONDS are used up. Not an Exception, so that no handler in a library catches it."""


class Output:
    """Sends frames to the parent."""

    def __init__(self) -> None:
        self._out = os.dup(1)
        os.close(1)
        os.open(os.devnull, os.O_WRONLY)  # becomes 1: what a library prints is discarded

    def send(self, meta: dict[str, Any], text: bytes = b"", words: bytes = b"") -> None:
        """Send one frame."""
        head = json.dumps(meta).encode()
        data = memoryview(b"".join((struct.pack("<III", len(head), len(text), len(words)), head, text, words)))
        while data:
            data = data[os.write(self._out, data) :]

    def refuse(self, why: str, **details: Any) -> NoReturn:
        """Report why the file cannot be read, and exit."""
        self.send({"kind": "refused", "why": why, **details})
        raise SystemExit(0)


def limit_process(command: Command) -> None:
    """Limit memory (bytes) and CPU time (seconds); no core dumps, no files written."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    resource.setrlimit(resource.RLIMIT_AS, (command["memory"], command["memory"]))
    resource.setrlimit(resource.RLIMIT_CPU, (command["cpu"], command["cpu"] + 1))


def open_pdfium(pdfium: Any, path: str, password: str | None) -> tuple[Any, int]:
    """The document, or None and the FPDF_ERR_ code."""
    pdfium.FPDF_InitLibrary()
    attempts: list[bytes | None] = [None]
    if password is not None:
        forms = (password, unicodedata.normalize("NFKC", password))  # encryption revision 6 uses SASLprep
        attempts += [form.encode(code, "ignore") for form in forms for code in ("utf-8", "latin-1")]
    for attempt in dict.fromkeys(attempts):
        document = pdfium.FPDF_LoadDocument(path.encode(), attempt)
        code = 0 if document else pdfium.FPDF_GetLastError()
        if code != NO_PASSWORD:
            return document, code
    return None, NO_PASSWORD


class PdfiumPage:
    """One page open in PDFium, and its text."""

    def __init__(self, pdfium: Any, document: Any, number: int) -> None:
        self.pdfium = pdfium
        prototype = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.c_int, ctypes.c_void_p)
        self.box = prototype(ctypes.cast(pdfium.FPDFText_GetLooseCharBox, ctypes.c_void_p).value or 0)
        self.page = pdfium.FPDF_LoadPage(document, number)
        self.text: Any = pdfium.FPDFText_LoadPage(self.page) if self.page else None

    def close(self) -> None:
        """Free the page and its text."""
        if self.text:
            self.pdfium.FPDFText_ClosePage(self.text)
        if self.page:
            self.pdfium.FPDF_ClosePage(self.page)

    def geometry(self) -> dict[str, Any]:
        """Size as shown, points, and the affine map from points in the page's space to fractions of the page."""
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
        """The text, and PDFium's index of each of its characters (None: the same as in the text)."""
        buffer = (ctypes.c_ushort * (count * 2 + 1))()
        units = self.pdfium.FPDFText_GetText(self.text, 0, count, buffer)
        text = bytes(memoryview(buffer).cast("B")[: max(units - 1, 0) * 2]).decode("utf-16-le", "replace")
        if len(text) == count and units == count + 1:
            return text, None
        return self._read_one_by_one(count)

    def _read_one_by_one(self, count: int) -> tuple[str, list[int]]:
        """As `read`, for a page whose text lacks some characters or holds surrogates."""
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
        """Spans of the words, and the boxes of their first and last characters."""
        spans = array("i", chain.from_iterable(map(re.Match.span, WORD.finditer(text))))
        characters = spans.tolist()
        characters[1::2] = [end - 1 for end in characters[1::2]]
        characters = characters if indices is None else [indices[character] for character in characters]
        boxes = (self.pdfium.FS_RECTF * len(spans))()
        places = range(ctypes.addressof(boxes), ctypes.addressof(boxes) + max(ctypes.sizeof(boxes), 1), RECTANGLE_BYTES)
        # By address and without Python code in the loop: these calls take a fifth of all reading time.
        handle = ctypes.cast(self.text, ctypes.c_void_p).value
        deque(map(self.box, repeat(handle), characters, places), maxlen=0)
        return spans.tobytes() + bytes(boxes)

    def origins(self, indices: list[int] | None) -> Callable[[int], tuple[float, float]]:
        """A function from a character of the text to the point where it is drawn, in points of the page's space."""
        x, y = ctypes.c_double(), ctypes.c_double()

        def origin(character: int) -> tuple[float, float]:
            index = character if indices is None else indices[character]
            self.pdfium.FPDFText_GetCharOrigin(self.text, index, x, y)
            return x.value, y.value

        return origin

    def has_cut_string(self) -> bool:
        """Whether one of the first MAX_STRINGS text objects has as many characters as PDFium keeps of a string."""
        for index in range(min(self.pdfium.FPDFPage_CountObjects(self.page), MAX_STRINGS)):
            thing = self.pdfium.FPDFPage_GetObject(self.page, index)
            if self.pdfium.FPDFPageObj_GetType(thing) == self.pdfium.FPDF_PAGEOBJ_TEXT:
                size = self.pdfium.FPDFTextObj_GetText(thing, self.text, None, 0)  # bytes, with the final NUL
                if size >= 2 * LONGEST_STRING:
                    return True
        return False

    def objects(self) -> dict[str, float]:
        """Number of text, image and other objects, and the largest image's share of the page."""
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
                    found["cover"] = max(found["cover"], 1.0 if depth else share)  # a form has units of its own
                    found["images"] += 1
                else:
                    found["texts" if kind == api.FPDF_PAGEOBJ_TEXT else "paths"] += 1
        return found


def send_pdfium_pages(pdfium: Any, document: Any, numbers: Iterable[int], command: Command, output: Output) -> None:
    """These pages as PDFium reads them: text, words, geometry, values filled in, and object counts of doubtful ones."""
    total = 0
    forms, glyphs, ligatures = map(importlib.import_module, ("child_forms", "glyph_order", "ligatures"))
    with forms.opened(pdfium, document) as form:
        for number in numbers:
            with closing(PdfiumPage(pdfium, document, number)) as page:
                if not page.text:
                    output.send({"kind": "page", "number": number, "failed": True})
                    continue
                fields = forms.read_fields(pdfium, form, page.page)
                count = max(pdfium.FPDFText_CountChars(page.text), 0)
                length = count + sum(len(field[0]) for field in fields)
                total += length
                check_characters(number, length, total, command, output)
                text, indices = page.read(count)
                text = ligatures.restore(glyphs.restore(text, page.origins(indices)))
                meta = {"kind": "page", "number": number, "fields": fields, **page.geometry()}
                if len(text) < LITTLE_TEXT:
                    meta |= page.objects()
                if len(text) >= LONGEST_STRING:
                    meta["cut"] = page.has_cut_string()
                output.send(meta, text.encode("utf-8", "replace"), page.words(text, indices))


def check_characters(number: int, length: int, total: int, command: Command, output: Output) -> None:
    """Refuse the file if the page, or all pages so far, exceed their limit."""
    for limit, value in (("page_characters", length), ("document_characters", total)):
        if value > command[limit]:
            output.refuse(limit, value=value, page=number)


def pypdf_errors(*more: type[BaseException]) -> tuple[type[BaseException], ...]:
    """What pypdf raises for irregular files: its own errors, and builtin ones it does not guard against."""
    own = importlib.import_module("pypdf.errors")
    return (own.PyPdfError, own.DependencyError, *ERRORS, *more)


def open_pypdf(path: str, password: str | None) -> Any:
    """The decrypted document in pypdf. Raises PermissionError if the password is wrong, and pypdf_errors()."""
    reader = importlib.import_module("pypdf").PdfReader(open(path, "rb"), strict=False)  # noqa: SIM115, PTH123
    if reader.is_encrypted and not (reader.decrypt("") or (password and reader.decrypt(password))):
        raise PermissionError("password")
    return reader


def send_pypdf_pages(reader: Any, numbers: Iterable[int], command: Command, output: Output) -> None:
    """These pages as pypdf reads them: text without words and boxes."""
    total, ligatures = 0, importlib.import_module("ligatures")
    for number in numbers:
        meta: dict[str, Any] = {"kind": "page", "number": number}
        try:
            page = reader.pages[number]
            text = ligatures.restore(page.extract_text())
            size = float(page.cropbox.width), float(page.cropbox.height)
            meta["width"], meta["height"] = size[::-1] if page.rotation % 180 else size
            meta["failed"] = not text.strip() and importlib.import_module("damaged_contents").is_damaged(page)
        except pypdf_errors():  # the other pages are kept
            meta, text = meta | {"failed": True}, ""
        total += len(text)
        check_characters(number, len(text), total, command, output)
        output.send(meta, text.encode("utf-8", "replace"))


def send_info(reader: Any, pages: int, output: Output) -> None:
    """Metadata, page labels and outline, each in limited time; those that fail are named."""

    def stop(*_: object) -> NoReturn:
        raise OutOfTime

    signal.signal(signal.SIGPROF, stop)
    info: dict[str, Any] = {"kind": "info"}
    own = importlib.import_module("child_info")
    for name, read in (("metadata", own.read_metadata), ("labels", own.read_labels), ("outline", own.read_outline)):
        try:
            signal.setitimer(signal.ITIMER_PROF, INFO_CPU_SECONDS)
            info[name] = read(reader, pages)
        except pypdf_errors(OutOfTime):
            info.setdefault("failed", []).append(name)
    signal.setitimer(signal.ITIMER_PROF, 0)
    output.send(info)


def read_document(command: Command, output: Output) -> None:
    """The pages asked for; or all of them, by pypdf if PDFium cannot open the file, and then the document's info."""
    path, password = command["file"], command.get("password")
    pdfium: Any = None
    document, code, reader = None, 0, None
    if command["engine"] == "pdfium":
        pdfium = importlib.import_module("pypdfium2_raw")
        document, code = open_pdfium(pdfium, path, password)
    if document:
        count = pdfium.FPDF_GetPageCount(document)
        permitted = pdfium.FPDF_GetDocPermissions(document) & PERMIT_COPY  # all are granted if it is not encrypted
        xfa = pdfium.FPDF_GetFormType(document) in (2, 3)
        opened = {"kind": "open", "pages": count, "locked": not permitted, "xfa": xfa}
    else:
        reader = open_with_pypdf(path, password, code, output)
        count = len(reader.pages)
        opened = {"kind": "open", "pages": count, "engine": "pypdf"}
    if not 0 < count <= command["pages"]:
        output.refuse("pages" if count > 0 else "no_pages", value=count)
    output.send(opened)
    numbers = command.get("only", range(count))
    if document:
        send_pdfium_pages(pdfium, document, numbers, command, output)
    else:
        send_pypdf_pages(reader, numbers, command, output)
    output.send({"kind": "pages_done"})
    if "only" in command:
        return None
    info = importlib.import_module("child_info")
    if document and not info.may_have_labels(path):
        return output.send({"kind": "info", "metadata": info.pdfium_metadata(pdfium, document)})
    try:
        reader = reader or open_pypdf(path, password)
    except pypdf_errors():  # PDFium read it, so only this is missing
        return output.send({"kind": "info", "failed": ["metadata", "labels", "outline"]})
    send_info(reader, count, output)


def open_with_pypdf(path: str, password: str | None, code: int, output: Output) -> Any:
    """The document in pypdf; refuses the file if pypdf cannot open it either. `code`: PDFium's error, 0 if none."""
    try:
        reader = open_pypdf(path, password)
        len(reader.pages)
    except PermissionError:
        output.refuse("password")
    except pypdf_errors():
        output.refuse({NO_PASSWORD: "password", NO_HANDLER: "certificate"}.get(code, "damaged"))
    return reader


def draw(command: Command, output: Output) -> None:
    """One page as RGB pixels, with annotations and form fields; scripts and links are ignored."""
    pdfium = importlib.import_module("pypdfium2_raw")
    document, code = open_pdfium(pdfium, command["file"], command.get("password"))
    if not (page := document and pdfium.FPDF_LoadPage(document, command["page"])):
        output.refuse("no_page" if document else "password" if code == NO_PASSWORD else "damaged")
    points = [max(get(page), 1.0) for get in (pdfium.FPDF_GetPageWidthF, pdfium.FPDF_GetPageHeightF)]
    scale = command["pixels_wide"] * min(1 / points[0], command["max_aspect"] / points[1])
    width, height = (max(int(length * scale), 1) for length in points)
    pixels = (ctypes.c_ubyte * (width * height * 3))()
    bitmap = pdfium.FPDFBitmap_CreateEx(width, height, pdfium.FPDFBitmap_BGR, pixels, width * 3)
    pdfium.FPDFBitmap_FillRect(bitmap, 0, 0, width, height, 0xFFFFFFFF)
    flags = pdfium.FPDF_ANNOT | pdfium.FPDF_REVERSE_BYTE_ORDER
    pdfium.FPDF_RenderPageBitmap(bitmap, page, 0, 0, width, height, 0, flags)
    output.send({"kind": "picture", "width": width, "height": height, "points": points}, bytes(pixels))


def unlock(command: Command, output: Output) -> None:
    """The document without encryption, rewritten by pypdf."""
    reader = open_with_pypdf(command["file"], command["password"], 0, output)
    written = io.BytesIO()
    importlib.import_module("pypdf").PdfWriter(clone_from=reader).write(written)
    output.send({"kind": "unlocked"}, written.getvalue())


def main() -> None:
    """Read the command, limit this process, carry the command out."""
    limit_process(command := json.loads(sys.stdin.buffer.readline()))
    gc.disable()  # the process is short-lived: collecting cycles costs more than it frees
    sys.path.extend([*command["path"], __file__.rpartition("/")[0]])
    importlib.import_module("lifeline").end_with_parent()
    sys.modules["PIL"] = None  # type: ignore[assignment]  # keeps pypdf from loading it: only for images
    output = Output()
    try:
        {"read": read_document, "draw": draw, "unlock": unlock}[command["do"]](command, output)
    except MemoryError:
        os._exit(OUT_OF_MEMORY)
    output.send({"kind": "end"})
    os._exit(0)  # without clean-up, because PDFium's own may crash on a broken document


if __name__ == "__main__":
    main()
