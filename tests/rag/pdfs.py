"""PDFs for the tests: regular ones made with reportlab, irregular ones written byte by byte."""

from __future__ import annotations

import io
import re
import zlib
from collections.abc import Iterable, Sequence

from pypdf import PdfReader, PdfWriter
from pypdf.constants import UserAccessPermissions
from reportlab.lib.enums import TA_JUSTIFY, TA_LEFT
from reportlab.lib.pagesizes import A4
from reportlab.lib.styles import ParagraphStyle
from reportlab.lib.utils import simpleSplit
from reportlab.pdfbase import pdfmetrics
from reportlab.pdfbase.cidfonts import UnicodeCIDFont
from reportlab.pdfgen.canvas import Canvas
from reportlab.platypus import Flowable, PageBreak, Paragraph, SimpleDocTemplate, Table

CHINESE_FONT = "STSong-Light"
LATIN_FONT = "Times-Roman"
MARGIN = 72.0  # points
SIZE = 11.0  # points


def text_pdf(
    pages: Iterable[str],
    *,
    title: str = "",
    author: str = "",
    header: str = "",
    footer: str = "",
    columns: int = 1,
    page_size: tuple[float, float] = A4,
    size: float = SIZE,
) -> bytes:
    """A PDF with a page for each text, in which a line is a paragraph and a form feed ends a column.

    `header` and `footer` may contain {page}, counted from 1. Chinese is set in a font that is not embedded, as in many
    Chinese PDFs.
    """
    pdfmetrics.registerFont(UnicodeCIDFont(CHINESE_FONT))
    file = io.BytesIO()
    canvas = Canvas(file, pagesize=page_size)
    canvas.setTitle(title)
    canvas.setAuthor(author)
    width, height = page_size
    column = (width - 2 * MARGIN - (columns - 1) * 24) / columns
    for number, text in enumerate(pages, 1):
        for line, y in ((header, height - 40), (footer, 36)):
            if line:
                font(canvas, line, 9)
                canvas.drawString(MARGIN, y, line.format(page=number))
        for index, part in enumerate(text.split("\f")):
            y = height - MARGIN
            for paragraph in part.split("\n"):
                name = font(canvas, paragraph, size)
                for line in wrapped(paragraph, name, size, column):
                    canvas.drawString(MARGIN + index * (column + 24), y, line)
                    y -= size * 1.3
                y -= size * 0.9
        canvas.showPage()
    canvas.save()
    return file.getvalue()


def wrapped(text: str, name: str, size: float, width: float) -> list[str]:
    """Lines of at most this width; Chinese is broken anywhere except before closing punctuation."""
    if name != CHINESE_FONT:
        return simpleSplit(text, name, size, width)
    lines, line = [], ""
    for piece in re.findall(r"[!-~]+ ?|.", text):
        too_wide = pdfmetrics.stringWidth(line + piece.rstrip(), name, size) > width
        if line and too_wide and piece not in "，。、；：？！）》」』”":
            lines.append(line)
            line = ""
        line += piece
    return [*lines, line]


def font(canvas: Canvas, text: str, size: float) -> str:
    """Set a font that can show the text, and return its name."""
    name = LATIN_FONT if all(ord(character) < 0x2000 for character in text) else CHINESE_FONT
    canvas.setFont(name, size)
    return name


def form_pdf() -> bytes:
    """A page with a form that is filled in: texts, a choice, boxes, a password."""
    file = io.BytesIO()
    canvas = Canvas(file, pagesize=A4)
    canvas.setFont("Helvetica", 11)
    form = canvas.acroForm
    canvas.drawString(60, 760, "Name of the applicant:")
    form.textfield(name="name", value="Maria Kowalska", x=200, y=752, width=200, height=22)
    canvas.drawString(60, 720, "Country:")
    form.choice(name="country", value="PL", options=[("Poland", "PL"), ("France", "FR")], x=200, y=712, width=120)
    canvas.drawString(80, 680, "Married")
    form.checkbox(name="married", checked=True, x=60, y=676, size=14)
    canvas.drawString(180, 680, "Single")
    form.checkbox(name="single", checked=False, x=160, y=676, size=14)
    canvas.drawString(60, 640, "Remarks:")
    form.textfield(
        name="remarks", value="The pump leaks\nsince May.", x=60, y=560, width=400, height=70, fieldFlags="multiline"
    )
    form.textfield(name="secret", value="hunter22", x=60, y=500, width=100, height=22, fieldFlags="password")
    canvas.drawString(60, 300, "The office returns this form to the applicant within thirty days.")
    canvas.save()
    return file.getvalue()


def scanned_pdf(pages: int = 1) -> bytes:
    """Pages with an image each and no text."""
    file = io.BytesIO()
    canvas = Canvas(file, pagesize=A4)
    for _ in range(pages):
        canvas.drawInlineImage(picture(), 0, 0, *A4)
        canvas.showPage()
    canvas.save()
    return file.getvalue()


def picture():
    """A small grey image."""
    from PIL import Image

    return Image.effect_noise((60, 80), 40)


def table_pdf(rows: Sequence[Sequence[str]], *, widths: Sequence[float]) -> bytes:
    """A page with a table, its first column aligned left and the others right, as in a balance sheet."""
    file = io.BytesIO()
    canvas = Canvas(file, pagesize=A4)
    canvas.setFont(LATIN_FONT, SIZE)
    y = A4[1] - MARGIN
    for row in rows:
        x = MARGIN
        for index, (cell, width) in enumerate(zip(row, widths, strict=True)):
            if index:
                canvas.drawRightString(x + width, y, cell)
            else:
                canvas.drawString(x, y, cell)
            x += width
        y -= SIZE * 1.3
    canvas.save()
    return file.getvalue()


REPORT_PROSE = (
    "We are a highly automated business and rely on our network infrastructure and enterprise applications, internal "
    "technology systems and our website for our development, marketing, operational, support, hosted services and "
    "sales activities. In addition, some of our businesses rely on third-party hosted services, and we do not control "
    "the operation of third-party data center facilities serving our customers from around the world.",
    "A disruption, infiltration or failure of these systems or third-party hosted services in the event of a major "
    "earthquake, fire, flood, tsunami or other weather event, power loss, telecommunications failure, software or "
    "hardware malfunctions, cyber-attack, war, terrorist attack or other catastrophic event that our disaster "
    "recovery plans could not adequately address, could cause system interruptions and reputational harm.",
)
REPORT_ROWS = (
    ("Current assets:", "", "", "", ""),
    ("Cash and cash equivalents", "$", "1,011,315", "$", "876,560"),
    ("Short-term investments", "", "3,749,985", "", "3,111,524"),
    ("Trade receivables, net of allowances of $6,214 and $7,293", "", "833,033", "", "672,006"),
    ("Total current assets", "$", "5,839,774", "$", "4,821,892"),
)


def report_pdf() -> bytes:
    """An annual report of nine pages: justified prose under headings, and a balance sheet on pages 3 and 6.

    Each page has the running headers "Table of Contents" and "ACME SYSTEMS INCORPORATED" and its number at the
    bottom; the outline has an entry for each page.
    """
    body = ParagraphStyle("body", fontName=LATIN_FONT, fontSize=10, leading=12, alignment=TA_JUSTIFY, spaceAfter=12)
    heading = ParagraphStyle("heading", parent=body, fontName="Times-BoldItalic", alignment=TA_LEFT)
    story: list[Flowable] = []
    for number in range(9):
        if number in (2, 5):
            story += [Paragraph("CONSOLIDATED BALANCE SHEETS", heading), _balance_sheet()]
        else:
            for title, text in zip(report_titles(number), REPORT_PROSE, strict=True):
                story += [Paragraph(title, heading), Paragraph(text, body)]
        story.append(PageBreak())

    def running(canvas: Canvas, document: SimpleDocTemplate) -> None:
        canvas.bookmarkPage(f"page {document.page}")
        canvas.addOutlineEntry(f"Part {document.page}", f"page {document.page}")
        canvas.setFont(LATIN_FONT, 9)
        canvas.drawString(MARGIN, A4[1] - 30, "Table of Contents")
        canvas.drawCentredString(A4[0] / 2, A4[1] - 50, "ACME SYSTEMS INCORPORATED")
        canvas.drawCentredString(A4[0] / 2, 30, str(document.page))

    file = io.BytesIO()
    SimpleDocTemplate(file, pagesize=A4).build(story, onFirstPage=running, onLaterPages=running)
    return file.getvalue()


def report_titles(page: int) -> tuple[str, str]:
    """The two headings on a page of prose of the report; no two pages have the same."""
    causes = ("Catastrophic", "Political", "Economic", "Weather", "Tax", "Currency", "Labor", "Security", "Credit")
    return f"{causes[page]} events may disrupt our business.", f"{causes[page]} risks cannot be insured."


def _balance_sheet() -> Table:
    style = [("ALIGN", (1, 0), (-1, -1), "RIGHT"), ("FONT", (0, 0), (-1, -1), LATIN_FONT, 10)]
    style += [("TOPPADDING", (0, 0), (-1, -1), 1), ("BOTTOMPADDING", (0, 0), (-1, -1), 1)]
    return Table(REPORT_ROWS, colWidths=(270, 15, 70, 15, 70), style=style)


def rewritten(pdf: bytes, change) -> bytes:
    """The PDF, changed by `change(writer)`."""
    writer = PdfWriter(clone_from=PdfReader(io.BytesIO(pdf)))
    change(writer)
    file = io.BytesIO()
    writer.write(file)
    return file.getvalue()


def encrypted(pdf: bytes, user: str, *, owner: str = "owner", algorithm: str = "AES-256", copy: bool = True) -> bytes:
    """The PDF encrypted with a user password ("" for none), by RC4-40, RC4-128, AES-128 or AES-256."""
    flags = UserAccessPermissions.all()
    if not copy:
        flags &= ~UserAccessPermissions.EXTRACT
    return rewritten(pdf, lambda writer: writer.encrypt(user, owner, algorithm=algorithm, permissions_flag=flags))


def rotated(pdf: bytes, angle: int) -> bytes:
    """The PDF with its pages rotated clockwise by 90, 180 or 270 degrees."""
    return rewritten(pdf, lambda writer: [page.rotate(angle) for page in writer.pages])


def cropped(pdf: bytes, left: float, bottom: float, right: float, top: float) -> bytes:
    """The PDF with the crop box of every page set, in points."""
    from pypdf.generic import RectangleObject

    def crop(writer):
        for page in writer.pages:
            page.cropbox = RectangleObject((left, bottom, right, top))

    return rewritten(pdf, crop)


# Byte by byte ------------------------------------------------------------------------------------------------

FONT = b"<</Type/Font/Subtype/Type1/BaseFont/Helvetica/Encoding/WinAnsiEncoding>>"


def raw_pdf(objects: Sequence[bytes], *, root: int = 1, header: bytes = b"%PDF-1.7\n") -> bytes:
    """A file of these objects, numbered from 1, with its cross-reference table."""
    data, places = bytearray(header), []
    for number, body in enumerate(objects, 1):
        places.append(len(data))
        data += b"%d 0 obj\n%s\nendobj\n" % (number, body)
    start = len(data)
    data += b"xref\n0 %d\n0000000000 65535 f \n" % (len(objects) + 1)
    data += b"".join(b"%010d 00000 n \n" % place for place in places)
    data += b"trailer<</Size %d/Root %d 0 R>>\nstartxref\n%d\n%%%%EOF" % (len(objects) + 1, root, start)
    return bytes(data)


def stream(data: bytes, extra: bytes = b"") -> bytes:
    """A stream object."""
    return b"<</Length %d%s>>stream\n%s\nendstream" % (len(data), extra, data)


def packed(data: bytes) -> bytes:
    """A stream object, compressed."""
    return stream(zlib.compress(data, 9), b"/Filter/FlateDecode")


def content_pdf(
    *contents: bytes, catalog: bytes = b"", more: Sequence[bytes] = (), fonts: bytes = b"", page: bytes = b""
) -> bytes:
    """A page for each stream object, with Helvetica as /F1; `more` objects are numbered from 4 + 2 * pages on."""
    count = len(contents)
    kids = b" ".join(b"%d 0 R" % (4 + 2 * index) for index in range(count))
    objects = [
        b"<</Type/Catalog/Pages 2 0 R%s>>" % catalog,
        b"<</Type/Pages/Count %d/Kids[%s]>>" % (count, kids),
        FONT,
    ]
    for index, content in enumerate(contents):
        objects.append(
            b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 612 792]/Contents %d 0 R"
            b"/Resources<</Font<</F1 3 0 R%s>>>>%s>>" % (5 + 2 * index, fonts, page)
        )
        objects.append(content)
    return raw_pdf([*objects, *more])


def shown(*lines: str, size: int = 12) -> bytes:
    """A content stream that shows lines below each other."""
    text = b"".join(b"(%s) Tj T*\n" % line.encode("cp1252").replace(b"(", b"\\(") for line in lines)
    return stream(b"BT /F1 %d Tf %d TL 72 720 Td\n%s ET" % (size, size * 5 // 4, text))


def unicode_font(mapping: dict[int, str], first: int) -> list[bytes]:
    """A simple font whose codes map to these characters: the font, which is object `first`, and its /ToUnicode."""
    rows = b"".join(
        b"<%02X> <%s>\n" % (code, text.encode("utf-16-be", "surrogatepass").hex().encode())
        for code, text in mapping.items()
    )
    cmap = (
        b"/CIDInit /ProcSet findresource begin 12 dict begin begincmap\n1 begincodespacerange <00> <FF> "
        b"endcodespacerange\n%d beginbfchar\n%sendbfchar\nendcmap end end" % (len(mapping), rows)
    )
    return [
        b"<</Type/Font/Subtype/Type1/BaseFont/Helvetica/Encoding/WinAnsiEncoding/ToUnicode %d 0 R>>" % (first + 1),
        stream(cmap),
    ]


def flate_bomb(megabytes: int) -> bytes:
    """A page whose content decompresses to this many MB of operators."""
    packer = zlib.compressobj(9)
    data = b"".join(packer.compress(b"q Q " * 250_000) for _ in range(megabytes)) + packer.flush()
    return content_pdf(stream(data, b"/Filter/FlateDecode"))


def long_content(characters: int) -> bytes:
    """Content with this many characters, in strings of 1,000."""
    line = b"(" + b"abcd efgh " * 100 + b") Tj T*\n"
    return packed(b"BT /F1 1 Tf 1 TL 72 720 Td\n" + line * (characters // 1_000) + b"ET")


def long_page(characters: int) -> bytes:
    """A document of one page with this many characters."""
    return content_pdf(long_content(characters))


def label_cycle() -> bytes:
    """A page-label tree that is its own child; PDFium follows it until it crashes."""
    return content_pdf(
        shown("The labels of this page never end."), catalog=b"/PageLabels 6 0 R", more=[b"<</Kids[6 0 R]>>"]
    )


def outline_cycle() -> bytes:
    """An outline in which the first entry follows the second."""
    return content_pdf(
        shown("The outline of this document is a circle."),
        catalog=b"/Outlines 6 0 R",
        more=[
            b"<</Type/Outlines/First 7 0 R/Last 8 0 R/Count 2>>",
            b"<</Title(First)/Parent 6 0 R/Next 8 0 R/Dest[4 0 R/XYZ 0 700 0]>>",
            b"<</Title(Second)/Parent 6 0 R/Next 7 0 R/First 7 0 R/Dest[4 0 R/XYZ 0 300 0]>>",
        ],
    )
