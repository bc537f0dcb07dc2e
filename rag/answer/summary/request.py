"""Whether a question is a request about whole documents: "summarise", "what is this about?", "总结一下这份报告"."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from typing import Final

from rag.index.tokenize import terms
from rag.records import Document

MAX_CHARACTERS: Final = 160  # of such a request

_POLITE = (
    r"(?:(?:please|kindly|hi|hello|ok|now|so|and|then|can you|could you|would you|will you|i want"
    r"|i need|i would like|i'd like)[, ]+)*"
)
_SUMMARY = r"(?:summary|overview|outline|synopsis|gist|précis|precis|abstract|digest|rundown|recap|tl;?dr)"
_KIND = (
    r"(?:(?:very|short|brief|quick|concise|general|executive|one-paragraph|high-level|rough|simple|complete|full) )*"
)
_POINTS = r"(?:points?|ideas?|topics?|takeaways?|messages?|statements?|themes?|contents?|subjects?|facts)"
# A request without or with what it is about.
_ASKS: Final = (
    rf"(?:summari[sz]e|sum up|recap|outline|describe)(?: for me)?(?: {_KIND}(?:the (?:main"
    rf"|key) {_POINTS} (?:of|in) |the contents? of )?(?P<a>.+))?",
    rf"(?:(?:give|show|write|make|provide|tell)(?: me| us)? |to (?:have|get) )?(?:an? "
    rf"|the )?{_KIND}{_SUMMARY}(?: (?:of|on|for|about) (?P<b>.+))?",
    rf"(?:give|show|tell|list)(?: me| us)? (?:the )?(?:main|key|most important"
    rf"|central) {_POINTS}(?: (?:of|in|from) (?P<c>.+))?",
    rf"(?:what (?:are|is|were) )?(?:the )?(?:main|key|most important|central"
    rf"|principal) {_POINTS}(?: (?:of|in|from|made in) (?P<d>.+))?",
    r"what (?:is|are|was) (?P<e>.+?) (?:all |mainly |generally )?about",
    r"what'?s (?P<f>.+?) (?:all |mainly )?about",
    r"what (?:does|do) (?P<g>.+?) (?:mainly |generally )?(?:say|cover|contain|deal with|talk about"
    r"|discuss|describe)(?: in general| mainly| about)?",
    r"what(?:'?s| is) (?:in|the (?:main )?contents? of|the subject of|the topic of) (?P<h>.+)",
    r"what (?:kind|type|sort) of (?:document|text|file|report|paper)s? (?:is|are) (?P<i>.+)",
    r"tell me (?:something |more )?about (?P<j>(?:this|the|these|my) .+)",
)
_ENGLISH = tuple(re.compile(_POLITE + pattern, re.IGNORECASE) for pattern in _ASKS)
_NOUN = (
    r"(?:documents?|docs?|files?|pdfs?|reports?|papers?|articles?|contracts?|agreements?|leases?|manuals?|guides?"
    r"|handbooks?|books?|thesis|dissertation|stud(?:y|ies)|surveys?|essays?|newsletters?|catalogu?es?|texts?|filings?"
    r"|brochures?|presentations?|press releases?|white ?papers?|specifications?|10-?[kq]s?|8-?ks?|publications?"
    r"|booklets?|letters?|memos?|minutes|everything|library|collection)"
)
_THIS = re.compile(
    r"(?:(?:all of|both of|each of) )?(?:this|it|that|these|those|they|them|everything|all|all this)(?: here)?",
    re.IGNORECASE,
)
_TARGET = re.compile(
    rf"(?P<before>(?:[\w.&'’/-]+ ){{0,7}}?){_NOUN}(?P<after>(?: (?:of|by|from|for|with|between|called"
    rf"|named|titled|about) [\w.&'’ /-]{{1,60}})?)",
    re.IGNORECASE,
)
_FILE = re.compile(r"[\"“'‘]?(?P<name>.{1,120}\.pdf)[\"”'’]?", re.IGNORECASE)
# Parts of a document, which are searched for like anything else.
_PART = re.compile(
    r"\b(?:chapter|section|page|paragraph|part|table|figure|clause|article|appendix|item|note"
    r"|conclusions?|results?)\s+(?:\d|[ivx]+\b)",
    re.IGNORECASE,
)
_FILLER: Final = frozenset(
    terms(
        "this the these those that my our your all both each every whole entire following attached given above uploaded"
        " document report file paper pdf text short long new latest last current first second annual"
    )
)

_HAN_POLITE = r"(?:请问?|请你|麻烦你?|帮我|帮忙|给我|能不能|能否|可以|可否|你能|你可以|再|用[^用话]{1,6}话)*"
_HAN_VERB = (
    r"(?:总结|總結|概括|概述|归纳|简述|简要(?:介绍|说明|概括)|简单(?:介绍|说明|概括)|介绍|說說|说说"
    r"|讲讲|梳理|摘要|提炼|综述)(?:总结|一下子?|下|出|一遍)?"
)
_HAN_NOUN = (
    r"(?:文件|文档|文檔|报告|報告|年报|半年报|季报|年度报告|合同|协议|协议书|论文|文章|手册|说明书|书|资料|材料|规范"
    r"|标准|公告|招股书|招股说明书|白皮书|政策|条例|办法|通知|信件|全文|全书|本文|原文|pdf)"
)
_HAN_TARGET = (
    rf"(?P<target>(?:这|那|该|本|上述|所有|全部|每|各|整)?(?:[个份篇本些部]|两份"
    rf"|几份)?(?:[\w·.《》“”\-]{{0,30}}?)(?:的)?{_HAN_NOUN}|它们?|这个?|本文|全文|整体)"
)
_HAN_CONTENT = (
    r"(?:(?:主要|核心|重点|基本|大致|大概|关键|中心)?(?:内容|观点|要点|重点|信息|思想|大意|意思"
    r"|结论要点|摘要|概要|概述|梗概|总结|主旨|主题))"
)
_HAN_ASKS: Final = (
    rf"{_HAN_VERB}(?:{_HAN_TARGET})?(?:的?{_HAN_CONTENT})?",
    rf"(?:{_HAN_TARGET})?的?{_HAN_CONTENT}(?:是什么|有哪些|是啥|有什么|呢)?",
    rf"{_HAN_TARGET}(?:主要|大致|大概|究竟|到底|都)*(?:是)?(?:在)?(?:讲|说|写|介绍|描述|谈|涉及|讨论"
    rf"|包含|包括)(?:述|到|论|及)?(?:的是|的|了)?(?:些)?(?:什么|啥|哪些)(?:内容|东西|事情?|问题|方面)?",
    rf"{_HAN_TARGET}是?关于(?:什么|哪方面|啥)(?:内容|方面)?的?",
    r"(?:主要|大致|大概|都)*(?:讲|说|写)(?:的是|的|了)(?:些)?(?:什么|啥)(?:内容)?",
)
_HAN = tuple(re.compile(_HAN_POLITE + pattern + r"[吗呢吧啊呀]*") for pattern in _HAN_ASKS)
_HAN_FILLER = re.compile(
    rf"^(?:这|那|该|本|上述|所有|全部|每|各|整)?(?:[个份篇本些部]|两份|几份)?|(?:的)?{_HAN_NOUN}$"
    rf"|^(?:它们?|这个?|整体)$"
)


def summary_target(question: str) -> str | None:
    """The words that say which document to summarise, "" for any; None if this is not such a request."""
    text = " ".join(unicodedata.normalize("NFKC", question).split()).strip(" ?.!。，,；;")
    if not text or len(text) > MAX_CHARACTERS or _PART.search(text):
        return None
    for pattern in _HAN:
        if match := pattern.fullmatch(text):
            return _HAN_FILLER.sub("", match.groupdict().get("target") or "")
    for pattern in _ENGLISH:
        if match := pattern.fullmatch(text):
            named = next((value for value in match.groupdict().values() if value), "")
            if (target := _named_words(named.strip())) is not None:
                return target
    return None


def _named_words(target: str) -> str | None:
    """The words of a target that may name a document; None if the target is not a document."""
    if not target or _THIS.fullmatch(target):
        return ""
    if file := _FILE.fullmatch(target):
        return file["name"]
    match = _TARGET.fullmatch(target)
    if match and any(
        word.casefold() in ("in", "on", "of", "about", "from", "for", "to") for word in match["before"].split()
    ):
        return None
    return None if match is None else target


def named_documents(target: str, documents: Sequence[Document]) -> list[Document] | None:
    """The documents that the words of a request name, all if they name none; None if they name something else."""
    words = [word for word in re.split(r"[\s_]+", target) if word and not _FILLER.issuperset(terms(word))]
    kinds = [word for word in words if _TARGET.fullmatch(word)]
    names = [word for word in words if word not in kinds]
    # Names count more than what kind of document it is.
    for asked in (names, kinds):
        own = terms(" ".join(asked))
        joined = [*own, *("".join(own[n : n + size]) for size in (2, 3) for n in range(len(own) - size + 1))]
        matches = {document.id: _matched(joined, document) for document in documents}
        if best := max(matches.values(), default=0):
            return [document for document in documents if matches[document.id] == best]
        # Small words such as "rental" describe any document; names and years must be those of one.
        if asked is names and any(word[0].isupper() or word[0].isdigit() for word in names):
            return None
    return list(documents)


def _matched(words: Sequence[str], document: Document) -> int:
    """How many of the words occur in the name or title of a document."""
    own = set(terms(re.sub(r"[_\s]+|\.pdf$", " ", f"{document.name} {document.title}", flags=re.IGNORECASE)))
    return sum(word in own for word in words)
