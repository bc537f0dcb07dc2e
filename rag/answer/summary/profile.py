"""What a document is, told from its text: title, kind, date, and the headings of its sections."""

from __future__ import annotations

import itertools
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from rag.answer.claims.dates import FULL_MONTH
from rag.language import mainly_chinese
from rag.pdf.found_outline import found_outline
from rag.records import Document, Heading, Passage
from rag.store.database import Store

FIRST_CHARACTERS: Final = 4_000  # of a document that its title, kind and date are told from
TITLE_CHARACTERS: Final = 160
MAX_HEADING_PAGES: Final = 1_000  # in which to look for headings if a file has no outline
SECTION_CHARACTERS: Final = 60  # of a heading that is listed
SHORT_PASSAGES: Final = 60  # of a document whose text is looked through for headings

# The kinds of documents: their English and Chinese names, and what the beginning of one says. The first counts.
_KINDS: Final = tuple(
    (names, re.compile(pattern, re.IGNORECASE))
    for names, pattern in (
        (("annual report", "年度报告"), r"\bform\s+(?:10|20)-?[kf]\b|\bannual\s+report\b|年度报告"),
        (("quarterly report", "季度报告"), r"\bform\s+10-?q\b|\bquarterly\s+report\b|季度报告"),
        (("half-year report", "半年度报告"), r"\b(?:half-?year(?:ly)?|interim)\s+report\b|半年度报告|中期报告"),
        (("current report", "临时报告"), r"\bform\s+8-?k\b|\bcurrent\s+report\b|临时公告"),
        (("prospectus", "招股说明书"), r"\bprospectus\b|招股(?:说明)?书"),
        (
            ("press release", "新闻稿"),
            r"\bfor\s+immediate\s+release\b|\b(?:announces|reports)\s+(?:\w+\s+){0,3}(?:quarter|year"
            r"|results)\b|\bpress\s+release\b|新闻稿",
        ),
        (("lease", "租赁合同"), r"\b(?:lease|tenancy|rental)\s+agreement\b|租赁合同|租房合同"),
        (
            ("contract", "合同"),
            r"\bthis\s+(?:\w+\s+){0,4}(?:agreement|contract)\s{1,9}(?:is|was)?\s{0,9}(?:made|entered)|\b(?:agreement"
            r"|contract)\b.{0,80}\bbetween\b|合同编号|本合同|甲方.{0,200}乙方|协议书",
        ),
        (("thesis", "学位论文"), r"\b(?:thesis|dissertation)\b|学位论文|(?:硕士|博士)论文"),
        (("scientific paper", "论文"), r"(?m)^[^\S\n]*abstract\s*(?:[:.—–-]|$)|摘\s{0,9}要[:：\s].{0,2000}关键词"),
        (
            ("manual", "说明书"),
            r"\b(?:user(?:['’]?s)?|instruction|owner(?:['’]?s)?|operating|installation|reference"
            r"|service)\s+(?:manual|guide|instructions)\b|\bmanual\b.{0,40}\bversion\b|说明书|使用手册"
            r"|用户手册|操作手册",
        ),
        (("specification", "规范"), r"\b(?:specification|technical\s+standard)\b|技术规范|国家标准"),
    )
)
_DATE: Final = re.compile(
    rf"(?:{FULL_MONTH})\s+\d{{1,2}},?\s+(?:19|20)\d\d|\d{{1,2}}\s+(?:{FULL_MONTH})\s+(?:19|20)\d\d|(?:{FULL_MONTH})\s+(?:19|20)\d\d"
    r"|(?:19|20)\d\d\s*年\s*\d{1,2}\s*月(?:\s*\d{1,2}\s*日)?|(?:19|20)\d\d-\d\d-\d\d",
)
NUMBERED_HEADING: Final = re.compile(
    r"(?m)^[ \t]*(?:(?:(?:Article|Section|Chapter|Part)\s+)?(?:\d{1,2}|[IVX]{1,5})[.)]?\s+"
    r"(?!(?:Days?|Weeks?|Months?|Quarters?|Years?)\b)[A-Z][^\n.!?;]{2,70}"
    r"|第[一二三四五六七八九十百\d]{1,4}[章条节部][ \t]*[^\n。；，]{2,30}"
    r"|[一二三四五六七八九十]{1,3}、[^\n。；，]{2,30}|\d{1,2}[.、 ][ \t]*[\u4e00-\u9fff][^\n。；，]{1,30})$"
)
_PART: Final = re.compile(
    r"(?:part|chapter) (?:[ivx]{1,5}|\d{1,2})\.?|第[一二三四五六七八九十\d]{1,3}[章篇部]", re.IGNORECASE
)
_ITEM: Final = re.compile(r"item \d", re.IGNORECASE)
# Lines at the top of a document that are no title.
_NO_TITLE: Final = re.compile(
    r"^(?:united states|securities and exchange|washington|form\s+\S+$|\(?mark one|page\b|\d+$|http"
    r"|www\.|table of contents|contents$|confidential|draft|version|目\s*录|第.{1,6}页|合同编号|编号"
    r"|版本)"
    r"|^\W*$|https?:|www\.|@|\b(?:19|20)\d\d-\d\d-\d\d\b|commission file|pursuant to|\bact of \d{4}\b"
    r"|fiscal year ended|period ended|\.\.\.",
    re.IGNORECASE,
)
# Titles that programs write into the metadata.
_NO_METADATA: Final = re.compile(
    r"\.(?:docx?|pdf|indd|tex|xlsx?|pptx?|html?)\b|_|^microsoft word|untitled|^document\d*$|^form\s"
    r"|filed \d|\d\d/\d\d/\d{4}|securities and exchange|^[\w-]+$|\W(?:final|draft)$",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Profile:
    """What a document is."""

    title: str
    kind: str  # in the language asked for; "" if the text does not tell
    date: str  # as printed; "" for none
    sections: tuple[tuple[str, int], ...]  # headings and their pages, from 0


def outline_of(store: Store, document: Document) -> tuple[tuple[Heading, ...], bool]:
    """The outline in a document's file; without one, the headings found in its text. Whether they were found."""
    details = store.document_details(document.owner, document.id)
    if details and details.outline:
        return details.outline, False
    return found_outline(store.page_texts(document.owner, document.id, 0, MAX_HEADING_PAGES - 1)), True


def profile_of(
    document: Document, outline: Sequence[Heading], passages: Sequence[Passage], sections: int, *, chinese: bool
) -> Profile:
    """Profile of a document, from its first passages and its outline; at most `sections` headings of that."""
    beginning = "".join(passage.text for passage in passages[:8])[:FIRST_CHARACTERS]
    kind = next((names[chinese] for names, pattern in _KINDS if pattern.search(f"{document.title}\n{beginning}")), "")
    date = _DATE.search(beginning)
    return Profile(
        title=_title(document, beginning),
        kind=kind,
        date=" ".join(date.group().split()) if date else "",
        sections=_sections(outline, passages, document.pages, sections),
    )


def title_of_metadata(title: str) -> str:
    """A title as the metadata has it, shortened; "" for one that a program made up, such as "report_final.docx"."""
    good = len(title.split()) > 1 and not _NO_METADATA.search(title)
    return title[:TITLE_CHARACTERS] if good or (mainly_chinese(title) and len(title) > 3) else ""


def _title(document: Document, beginning: str) -> str:
    """The title in the metadata, if it is one, or the first line that looks like one, or the file name."""
    if title := title_of_metadata(document.title):
        return title
    lines = [" ".join(line.split()).lstrip("_-–—•☒☐ ") for line in beginning.split("\n")[:25]]
    for above, line in itertools.pairwise(["", *lines]):
        if (place := line.casefold().find("(exact name")) >= 0 and (named := line[:place].strip() or above):
            return named[:TITLE_CHARACTERS]
    title = next((line for line in lines if _is_title(line)), "")
    name = re.sub(r"\.pdf$", "", document.name, flags=re.IGNORECASE)
    return title[:TITLE_CHARACTERS] or re.sub(r"[_\s]+", " ", name)


def _is_title(line: str) -> bool:
    if len(line) > TITLE_CHARACTERS or _NO_TITLE.search(line):
        return False
    letters = sum(map(str.isalpha, line))
    if mainly_chinese(line):
        return 4 <= len(line) <= 40 and "，" not in line and "。" not in line
    return (
        letters >= 0.7 * len(line.replace(" ", ""))
        and 2 <= len(line.split()) <= 24
        and not line.endswith((".", ",", ";"))
    )


def _sections(
    outline: Sequence[Heading], passages: Sequence[Passage], pages: int, count: int
) -> tuple[tuple[str, int], ...]:
    """The `count` longest sections of the outline's first level that names several; of a short document, numbered ones.

    "Part I" names nothing. The items of a report are its sections, among which its notes and exhibits have theirs.
    """
    levels = [[one for one in outline if one.level == level] for level in (1, 2, 3)]
    several = [level for level in levels if len(level) > 2]
    named = [level for level in several if not any(_PART.fullmatch(one.title) for one in level)]
    found = [(one.title, one.page) for one in (named or several or [[]])[0] if not one.title.endswith("。")]
    if not found and len(passages) <= SHORT_PASSAGES and len(numbered := _numbered_headings(passages)) > 2:
        found = numbered
    items = [one for one in found if _ITEM.match(one[0])]
    sections = items if len(items) > 2 else found
    ends = [*(page for _, page in sections[1:]), pages]
    longest = sorted(range(len(sections)), key=lambda n: sections[n][1] - ends[n])[:count]
    return tuple((_shortened(sections[n][0]), sections[n][1]) for n in sorted(longest))


def _numbered_headings(passages: Sequence[Passage]) -> list[tuple[str, int]]:
    """Lines such as "3. Rent" and "第三条 租金" in the text, with their pages."""
    found: dict[str, int] = {}
    for passage in passages:
        for match in NUMBERED_HEADING.finditer(passage.text):
            found.setdefault(" ".join(match.group().split()), passage.first_page)
    return list(found.items())


def _shortened(heading: str) -> str:
    """A heading of at most SECTION_CHARACTERS, cut at a word."""
    if len(heading) <= SECTION_CHARACTERS:
        return heading
    start = heading[: SECTION_CHARACTERS - 1]
    return f"{start.rpartition(' ')[0] or start}…"
