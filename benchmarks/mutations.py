"""Random PDFs for `benchmarks/fuzz.py`: good files that are damaged, and well-formed ones that hold odd characters."""

from __future__ import annotations

import io
import random
import re
import sys
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from pypdf import PdfReader, PdfWriter

from tests.rag import pdfs

MAX_SEED_BYTES = 400_000  # larger files are not mutated: most of their bytes are pictures and fonts
NUMBERS = (
    b"0",
    b"-1",
    b"1",
    b"2147483647",
    b"-2147483648",
    b"4294967296",
    b"1e38",
    b"0.00001",
    b"99999999999999999999",
)
NAMES = (b"/Type", b"/Page", b"/Pages", b"/Font", b"/Contents", b"/Length", b"/Filter", b"/FlateDecode", b"/Kids",
         b"/Count", b"/ToUnicode", b"/Encoding", b"/Identity-H", b"/Annots", b"/V", b"/FT", b"/Parent", b"/MediaBox",
         b"/Rotate", b"/Outlines", b"/PageLabels", b"/Resources", b"/XObject", b"/W", b"/DW")  # fmt: skip
Mutation = Callable[[bytes, random.Random, list[bytes]], bytes]


# Good files ------------------------------------------------------------------------------------------------------


def good_files(folder: Path | None) -> list[bytes]:
    """PDFs to be mutated, each also with its streams decompressed, so that their contents are mutated too."""
    text = "The company sold 3,600 units in 2018, 12% more than in 2017.\nRevenue grew to $1,577 million."
    chinese = "合同编号是第7731号。\n苍鹭在湖边筑巢，数量为 24 只。"
    made = [
        pdfs.text_pdf([text, chinese, f"{text}\n{chinese}"] * 2, header="Annual report {page}", footer="- {page} -"),
        pdfs.table_pdf(
            [["", "2018", "2017"], ["Revenue", "1,577", "1,409"], ["Costs", "(912)", "—"]], widths=[200, 60, 60]
        ),
        pdfs.report_pdf(),
        pdfs.form_pdf(),
        pdfs.scanned_pdf(),
        pdfs.outline_cycle(),
        pdfs.content_pdf(pdfs.shown(*text.split("\n"))),
        pdfs.encrypted(pdfs.text_pdf([text]), ""),
        pdfs.rotated(pdfs.text_pdf([text, chinese], columns=2), 90),
    ]
    given = [file.read_bytes() for file in sorted(folder.glob("**/*.pdf"))] if folder else []
    small = [data for data in (*made, *given) if len(data) <= MAX_SEED_BYTES]
    return [*small, *filter(None, map(decompressed, small))]


def decompressed(pdf: bytes) -> bytes | None:
    """The PDF without compression; None where pypdf cannot rewrite it."""
    try:
        writer = PdfWriter(clone_from=PdfReader(io.BytesIO(pdf)))
        file = io.BytesIO()
        writer.write(file)
    except Exception:  # noqa: BLE001 - a seed less
        return None
    plain: bytes = re.sub(
        rb"<<[^<>]*/FlateDecode[^<>]*>>\s*stream\r?\n(.*?)\r?\nendstream",
        lambda found: _inflated(found.group(1)) or found.group(),
        file.getvalue(),
        flags=re.DOTALL,
    )
    return plain


def _inflated(data: bytes) -> bytes | None:
    try:
        inflated: bytes = pdfs.stream(zlib.decompress(data))
    except zlib.error:
        return None
    return inflated


# Mutations -------------------------------------------------------------------------------------------------------


def flip(data: bytes, chance: random.Random, _others: list[bytes]) -> bytes:
    """Some bytes changed."""
    changed = bytearray(data)
    for _ in range(chance.choice((1, 3, 10, 100))):
        changed[chance.randrange(len(changed))] = chance.randrange(256)
    return bytes(changed)


def cut(data: bytes, chance: random.Random, _others: list[bytes]) -> bytes:
    """A stretch left out, or everything after a place."""
    start = chance.randrange(len(data))
    return data[:start] + (data[start + chance.randrange(1, 2_000) :] if chance.random() < 0.7 else b"")


def repeat(data: bytes, chance: random.Random, _others: list[bytes]) -> bytes:
    """A stretch written several times."""
    start = chance.randrange(len(data))
    stretch = data[start : start + chance.randrange(1, 500)]
    return data[:start] + stretch * chance.choice((2, 3, 50)) + data[start + len(stretch) :]


def splice(data: bytes, chance: random.Random, others: list[bytes]) -> bytes:
    """A stretch of another file in its place."""
    other = chance.choice(others)
    start, at = chance.randrange(len(other)), chance.randrange(len(data))
    stretch = other[start : start + chance.randrange(1, 3_000)]
    return data[:at] + stretch + data[at + len(stretch) :]


def renumber(data: bytes, chance: random.Random, _others: list[bytes]) -> bytes:
    """Some numbers replaced by extreme ones, or by each other."""
    return _replaced(rb"-?\d+(?:\.\d+)?", NUMBERS, data, chance)


def rename(data: bytes, chance: random.Random, _others: list[bytes]) -> bytes:
    """Some names replaced by others."""
    return _replaced(rb"/[A-Za-z]+", NAMES, data, chance)


def rewrite(data: bytes, chance: random.Random, _others: list[bytes]) -> bytes:
    """Some strings and hexadecimal codes replaced by odd characters."""
    texts = [b"(" + _utf16(odd_text(chance)).translate(None, b"()\\") + b")" for _ in range(4)]
    codes = [b"<" + _utf16(odd_text(chance)).hex().encode() + b">" for _ in range(4)]
    return _replaced(rb"\((?:[^()\\]|\\.)*\)|<[0-9A-Fa-f]{4,}>", (*texts, *codes), data, chance)


def _replaced(pattern: bytes, values: tuple[bytes, ...], data: bytes, chance: random.Random) -> bytes:
    places = list(re.finditer(pattern, data))
    count = min(len(places), chance.choice((1, 2, 5, 30)))
    for found in sorted(chance.sample(places, count), key=lambda one: -one.start()):
        value = chance.choice(places).group() if chance.random() < 0.3 else chance.choice(values)
        data = data[: found.start()] + value + data[found.end() :]
    return data


MUTATIONS: tuple[Mutation, ...] = (flip, cut, repeat, splice, renumber, rename, rewrite)


def odd_text(chance: random.Random) -> str:
    """A few characters: of one script, of any, or such that have fooled text programs before."""
    odd = '#İıſßŉﬁﬃ\u0300\u1ab0\u0e33\u200b\u202e\ufe0f\u2028\x85\0\u3000(（[【$%•—-–·.,;:。"“”1²½Ⅳ①一十百万亿年月日'
    kind = chance.randrange(4)
    if kind == 0:
        return "".join(chance.choices(odd, k=chance.randrange(1, 12)))
    if kind == 1:
        return "".join(chr(chance.randrange(0xD800)) for _ in range(chance.randrange(1, 8)))
    if kind == 2:
        return chr(chance.randrange(0x110000)) * chance.choice((1, 2, 40))
    start = chance.choice((0x0370, 0x0400, 0x0590, 0x0600, 0x0900, 0x0E00, 0x1100, 0x3040, 0x4E00, 0xAC00, 0x1D400))
    return "".join(chr(start + chance.randrange(200)) for _ in range(chance.randrange(1, 20)))


def odd_document(chance: random.Random) -> bytes:
    """A well-formed PDF whose words are odd texts, in rows and columns, with an outline of some of them."""
    words = {code: odd_text(chance) for code in range(33, 127) if code not in b"()\\"}
    if chance.random() < 0.5:  # mostly readable, so that it is not taken for broken fonts
        words |= {code: chr(code) for code in words if chance.random() < 0.8}
    contents = [_odd_content(list(words), chance) for _ in range(chance.choice((1, 3, 9)))]
    first = 4 + 2 * len(contents)
    titles = [_hex_string("".join(chance.choices(list(words.values()), k=3))) for _ in range(2)]
    outline = [
        b"<</Type/Outlines/First %d 0 R/Last %d 0 R/Count 2>>" % (first + 3, first + 4),
        b"<</Title %s/Parent %d 0 R/Next %d 0 R/Dest[4 0 R/XYZ 0 700 0]>>" % (titles[0], first + 2, first + 4),
        b"<</Title %s/Parent %d 0 R/Prev %d 0 R/Dest[4 0 R/XYZ 0 300 0]>>" % (titles[1], first + 2, first + 3),
    ]
    made: bytes = pdfs.content_pdf(
        *contents,
        catalog=b"/Outlines %d 0 R" % (first + 2),
        fonts=b"/F2 %d 0 R" % first,
        more=[*pdfs.unicode_font(words, first), *outline],
    )
    return made


def _odd_content(codes: list[int], chance: random.Random) -> bytes:
    rows = []
    for y in range(760, 20, -chance.choice((9, 14, 40))):
        for x in sorted(chance.sample(range(40, 560, 40), chance.choice((1, 1, 2, 4)))):
            text = bytes(chance.choices([*codes, 32, 32, 32], k=chance.choice((1, 4, 40))))
            rows.append(b"/F2 %d Tf 1 0 0 1 %d %d Tm (%s) Tj" % (chance.choice((6, 10, 10, 18)), x, y, text))
    made: bytes = pdfs.stream(b"BT\n%s\nET" % b"\n".join(rows))
    return made


def _hex_string(text: str) -> bytes:
    return b"<FEFF" + _utf16(text).hex().encode() + b">"


def _utf16(text: str) -> bytes:
    return text.encode("utf-16-be", "surrogatepass")


def cases(good: list[bytes], chance: random.Random) -> Iterator[bytes]:
    """Files without end."""
    while True:
        if chance.random() < 0.35:
            data = odd_document(chance)
            if chance.random() < 0.7:
                yield data
                continue
        else:
            data = chance.choice(good)
        for _ in range(chance.choice((1, 1, 2, 4))):
            data = chance.choice(MUTATIONS)(data, chance, good) or b"%PDF-"
        yield data
