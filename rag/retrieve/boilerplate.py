"""Recognises boilerplate pages: auditors' reports, lists of exhibits, certifications, signatures, tables of contents.

They contain the words of many questions, such as the name of every statement in a report, but answer none.
"""

from __future__ import annotations

import re
from itertools import pairwise
from typing import Final

MIN_CONTENTS_ROWS: Final = 6  # lines that end with a page number, in a table of contents
MIN_CONTENTS_SHARE: Final = 0.45  # of the lines of the page
MIN_EXHIBITS: Final = 3  # numbered lines, and references, of a list of exhibits
MAX_CERTIFICATION_CHARACTERS: Final = 6_000

_AUDIT_TITLE = re.compile(r"(?:report|consent) of independent|independent auditor|审计报告|審計報告", re.IGNORECASE)
_AUDIT = re.compile(
    r"we have audited|critical audit matter|\bour audits?\b|public company accounting oversight|我们审计了|审计意见",
    re.IGNORECASE,
)
_REFERENCE = re.compile(r"incorporated (?:herein )?by reference|\bexhibit \d|filed herewith", re.IGNORECASE)
_NUMBERED = re.compile(r"^\(?[*†+]?\d{1,3}(?:\.\d{1,3})?[a-z]?[*†+)]{0,2}\s", re.MULTILINE)
_CERTIFICATION = re.compile(r"sarbanes.?oxley act", re.IGNORECASE)
_CERTIFIES = re.compile(r"\bI, .{3,60}, certify|certif(?:y|ies|ication)\b.{0,80}(?:pursuant|that)", re.IGNORECASE)
_SIGNATURES = re.compile(r"pursuant to the requirements of (?:section 13|the securities)", re.IGNORECASE)
_PAGE_NUMBER = re.compile(r"[^\d\s.,$%)][\s.…·]{0,200}[\s.…·](\d{1,3})$")
_ASKS_FOR_IT = re.compile(
    r"\baudit|accounting firm|exhibit|agreement|indenture|certif|sign(?:ed|s|ature)|contents"
    r"|审计|会计师|附件|协议|签[字署]|目录",
    re.IGNORECASE,
)


def is_boilerplate(text: str) -> bool:
    """Whether a page is boilerplate. Takes time in proportion to its length."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return (
        any(_AUDIT_TITLE.search(line) for line in lines[:4])
        or len(_AUDIT.findall(text)) >= 2
        or min(len(_REFERENCE.findall(text)), len(_NUMBERED.findall(text))) >= MIN_EXHIBITS
        or (len(text) < MAX_CERTIFICATION_CHARACTERS and bool(_CERTIFICATION.search(text) and _CERTIFIES.search(text)))
        or bool(_SIGNATURES.search(text))
        or _is_contents(lines)
    )


def asks_for_boilerplate(question: str) -> bool:
    """Whether a question asks for what boilerplate pages say."""
    return bool(_ASKS_FOR_IT.search(question))


def _is_contents(lines: list[str]) -> bool:
    """Whether enough lines end in page numbers, in ascending order."""
    numbers = [int(match[1]) for line in lines if (match := _PAGE_NUMBER.search(line[-300:]))]
    if len(numbers) < MIN_CONTENTS_ROWS:
        return False
    ascending = sum(after >= before for before, after in pairwise(numbers)) / (len(numbers) - 1)
    return ascending * len(numbers) / len(lines) > MIN_CONTENTS_SHARE
