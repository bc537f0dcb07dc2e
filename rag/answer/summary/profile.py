"""What a document is, by its title, kind, date and headings; and which of its sentences can stand in a summary."""

from __future__ import annotations

import itertools
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from rag.answer.claims.dates import FULL_MONTH
from rag.answer.sentences import split_sentences
from rag.language import mainly_chinese
from rag.pdf.found_outline import found_outline
from rag.records import Document, Heading, Passage
from rag.store.database import Store

# Words that only prose has many of.
_FUNCTION_WORDS = frozenset(
    "the a an of to in and for is are was were be been by on with as at from that which this it its their our we has"
    " have had not or can will may also than more into between through during under over such these those they".split()
)
_VERBS = re.compile(
    r"\b(?:is|are|was|were|be|been|has|have|had|do|does|did|can|could|may|might|will|would|shall"
    r"|should|must|[a-z]{2,}(?:ed|es|s|ing))\b"
)
# A start that refers to the text before.
_REFERS = re.compile(
    r"^(?:these|those|this|that|such)\b(?!\s+(?:annual |quarterly |user |technical |standard |research "
    r"|press )*(?:paper|report|article|study|agreement|contract|lease|document|manual|guide|book|chapter|thesis"
    r"|policy|specification|standard|review|survey|work|handbook|library|product|device)\b)"
    r"|^(?:it|its|they|their|them|he|she|his|her|however|therefore|thus|hence|moreover|furthermore|also|but|and|or|so"
    r"|first|second|third|see|refer|described|you (?:should|acknowledge|agree)"
    r"|for (?:an?|further|more|additional) (?:\w+ )*(?:discussion|information|description|details)|otherwise"
    r"|similarly|accordingly|consequently|instead|nevertheless|nonetheless|additionally|finally|then|for example"
    r"|for instance|as a result|in addition|in contrast|on the other hand"
    r"|the (?:above|foregoing|following|former|latter|same)|both|here|there)\b"
    r"|^(?:其|它|他|她|该|此|这|那|但|而|因此|所以|然而|并|且|另外|此外|同时|例如|比如|如上|综上|由此|否则|以上|以下"
    r"|上述|前述|[也又还])",
    re.IGNORECASE,
)
# Boilerplate in reports, contracts, papers and web pages: says nothing about the document.
_BOILERPLATE = re.compile(
    r"forward[- ]looking|safe harbor|private securities litigation|we undertake no (?:obligation|duty)"
    r"|undertakes? no obligation"
    r"|actual results (?:may|could|might) differ|could cause (?:our )?actual"
    r"|incorporated (?:herein )?by reference|see (?:also )?(?:note|item|part|page|section|exhibit"
    r"|figure|table)\b"
    r"|refer to (?:note|item|part|page|section|exhibit|the )|as (?:set forth|described|discussed"
    r"|defined) in (?:note|item|part|section|exhibit)|\bindicate by check mark|exchange act of 1934"
    r"|securities act of 1933|pursuant to (?:the requirements of )?section 1[0-9]"
    r"|registrant|as used in this|notes to (?:the )?consolidated|management.s discussion"
    r"|trading price of|conference call|fiscal year ends|risks (?:described|discussed|below)"
    r"|following risks|provided below|presented herein|we intend for this discussion"
    r"|factors that (?:might|could|may)|will be filed|further discussion|additional (?:discussion"
    r"|information)|section entitled|as (?:noted|discussed|described) (?:above|below|elsewhere)"
    r"|under the heading|set forth (?:below|above)|all rights reserved|copyright|©"
    r"|no part of this (?:publication|document)|permission (?:is granted|to copy)|trademarks?\b"
    r"|table of contents|this page (?:is )?intentionally|http|www\.|@|doi:|arxiv|isbn|issn"
    r"|et al\.,? \(?\d{4}|certif(?:y|ication) (?:that|pursuant)|in witness whereof"
    r"|sarbanes|commission file|\bwebsite\b|available (?:free of charge|on our)|annual report on form"
    r"|free documentation license|without warranty"
    r"|前瞻性|版权所有|未经许可|保留所有权利|不构成.{0,12}承诺|敬请.{0,6}注意|谨慎|重大遗漏|虚假记载"
    r"|误导性陈述|个别和连带|详见|参见|请参阅|见附注|见本(?:报告|附注)|本页无正文|参考文献|扫描二维码"
    r"|网址",
    re.IGNORECASE,
)
_FURNITURE = re.compile(r"^[A-Z]\.\s|\[\d|\w_\w|\(\)|::|\.{4,}|…{2,}|\s[-–—_]{3,}\s|\|")
_ENDS = re.compile(r"[.!。！][”’」』）)\"']*$")

MIN_WORDS, MAX_WORDS = 8, 48  # of an English sentence
MIN_HAN, MAX_HAN = 14, 130  # characters of a Chinese one
FIRST_CHARACTERS: Final = 4_000  # of a document, from which its title, kind and date are told
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
# Lines at the top of a document that are not its title.
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


def is_statement(sentence: str) -> bool:
    """Whether a sentence says something about its document without the sentences around it."""
    if (
        not _ENDS.search(sentence)
        or _FURNITURE.search(sentence)
        or _REFERS.search(sentence)
        or is_boilerplate(sentence)
    ):
        return False
    return _is_chinese_statement(sentence) if mainly_chinese(sentence) else _is_english_statement(sentence)


def is_boilerplate(text: str) -> bool:
    """Whether a text has words of notices, references to other places, or forms."""
    return _BOILERPLATE.search(text) is not None


def statements(text: str) -> list[str]:
    """The statements of a passage in order, except those cut off at its start."""
    return [sentence for sentence in split_sentences(text) if is_statement(sentence)]


def _is_english_statement(sentence: str) -> bool:
    words = sentence.split()
    if not MIN_WORDS <= len(words) <= MAX_WORDS or not (sentence[0].isupper() or sentence[0] in "“\"'"):
        return False
    function_words = sum(word.casefold().strip(",.;:()") in _FUNCTION_WORDS for word in words)
    numbers = sum(any(map(str.isdigit, word)) for word in words)
    capitals = sum(word.isupper() and len(word) > 1 for word in words)
    return (
        function_words >= 0.2 * len(words)
        and numbers <= 0.25 * len(words)
        and capitals <= 0.3 * len(words)
        and bool(_VERBS.search(sentence))
    )


def _is_chinese_statement(sentence: str) -> bool:
    han = sum("\u4e00" <= character <= "\u9fff" for character in sentence)
    digits = sum(map(str.isdigit, sentence))
    return MIN_HAN <= han <= MAX_HAN and digits <= 0.3 * han and sentence.count("、") <= 8


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
    """The title in the metadata, shortened; "" if a program made it up, such as "report_final.docx"."""
    good = len(title.split()) > 1 and not _NO_METADATA.search(title)
    return title[:TITLE_CHARACTERS] if good or (mainly_chinese(title) and len(title) > 3) else ""


def _title(document: Document, beginning: str) -> str:
    """The title in the metadata if it is one, else the first line that looks like one, else the file name."""
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
