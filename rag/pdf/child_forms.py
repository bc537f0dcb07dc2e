"""What people filled into a page: values of form fields, and texts typed onto it. Runs in the child process.

These are annotations, which are not part of the text that PDFium or pypdf extract. Scripts in forms are never run: this
build of PDFium has no interpreter for them.
"""

from __future__ import annotations

import ctypes
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

MAX_ANNOTATIONS = 2_000  # fields examined on one page
MAX_VALUE = 1_000_000  # characters of one value, as many as a page may have
HIDDEN = 1 << 1 | 1 << 5  # annotation flags Hidden and NoView (PDF 32000-1, table 165)
PASSWORD = 1 << 13  # flag of text fields (table 228)
CHECKED, UNCHECKED = "\u2611", "\u2610"  # ballot boxes
Field = tuple[str, float, float, float, float]  # text; left, top, right, bottom, points of the page's space


@contextmanager
def opened(pdfium: Any, document: Any) -> Iterator[Any]:
    """The document's form, from which field values are read; None if it has none."""
    if pdfium.FPDF_GetFormType(document) == pdfium.FORMTYPE_NONE:
        yield None
        return
    information = pdfium.FPDF_FORMFILLINFO(version=2)  # without callbacks: nothing is filled in or run
    form = pdfium.FPDFDOC_InitFormFillEnvironment(document, information)
    try:
        yield form
    finally:
        if form:
            pdfium.FPDFDOC_ExitFormFillEnvironment(form)


def read_fields(pdfium: Any, form: Any, page: Any) -> list[Field]:
    """The visible values on a page with their places, in the order of the file."""
    found: list[Field] = []
    for number in range(min(pdfium.FPDFPage_GetAnnotCount(page), MAX_ANNOTATIONS)):
        annotation = pdfium.FPDFPage_GetAnnot(page, number)
        if not annotation:
            continue
        text = "" if pdfium.FPDFAnnot_GetFlags(annotation) & HIDDEN else _text(pdfium, form, annotation)
        box = pdfium.FS_RECTF()
        if text.strip() and pdfium.FPDFAnnot_GetRect(annotation, box):
            found.append((text, box.left, box.top, box.right, box.bottom))
        pdfium.FPDFPage_CloseAnnot(annotation)
    return found


def _text(pdfium: Any, form: Any, annotation: Any) -> str:
    kind = pdfium.FPDFAnnot_GetSubtype(annotation)
    if kind == pdfium.FPDF_ANNOT_FREETEXT:
        return _string(pdfium.FPDFAnnot_GetStringValue, annotation, b"Contents")
    if kind != pdfium.FPDF_ANNOT_WIDGET or not form:
        return ""
    match pdfium.FPDFAnnot_GetFormFieldType(form, annotation):
        case pdfium.FPDF_FORMFIELD_TEXTFIELD:
            if pdfium.FPDFAnnot_GetFormFieldFlags(form, annotation) & PASSWORD:
                return ""
            return _string(pdfium.FPDFAnnot_GetFormFieldValue, form, annotation)
        case pdfium.FPDF_FORMFIELD_COMBOBOX | pdfium.FPDF_FORMFIELD_LISTBOX:
            return _chosen(pdfium, form, annotation) or _string(pdfium.FPDFAnnot_GetFormFieldValue, form, annotation)
        case pdfium.FPDF_FORMFIELD_CHECKBOX | pdfium.FPDF_FORMFIELD_RADIOBUTTON:
            shown = _string(pdfium.FPDFAnnot_GetStringValue, annotation, b"AS")
            return UNCHECKED if shown in ("", "Off") else CHECKED
    return ""


def _chosen(pdfium: Any, form: Any, annotation: Any) -> str:
    """The labels of the options chosen in a list."""
    options = range(min(max(pdfium.FPDFAnnot_GetOptionCount(form, annotation), 0), MAX_ANNOTATIONS))
    chosen = (n for n in options if pdfium.FPDFAnnot_IsOptionSelected(form, annotation, n))
    return ", ".join(_string(pdfium.FPDFAnnot_GetOptionLabel, form, annotation, n) for n in chosen)


def _string(get: Any, *arguments: Any) -> str:
    """A string that PDFium writes as UTF-16 with a final NUL into a buffer; "" if it is longer than any value."""
    size = get(*arguments, None, 0)  # bytes
    if not 2 < size <= 2 * MAX_VALUE + 2:
        return ""
    buffer = (ctypes.c_ushort * (size // 2))()
    get(*arguments, buffer, size)
    return bytes(memoryview(buffer).cast("B"))[: size - 2].decode("utf-16-le", "replace")
