"""Whether a question asks for all of something in whole documents, or to compare them: "list all deadlines"."""

from __future__ import annotations

import re
import unicodedata
from enum import StrEnum
from typing import Final

from rag.answer.summary.request import summary_target

MAX_CHARACTERS: Final = 200  # of such a request

_POLITE = r"(?:(?:please|kindly|can you|could you|would you|now|then|and|i want you to|i need you to)[, ]{1,2}){0,4}"
_DOCUMENT = (
    r"(?:documents?|files?|pdfs?|reports?|papers?|articles?|contracts?|agreements?|leases?|manuals?|policies|texts?"
    r"|filings?|versions?|letters?)"
)
_FILE = r"[\"“'‘]?[^\"”'’]{1,80}?\.pdf[\"”'’]?"
_TWO = (
    r"(?:both|all|these|those|the|my|two|three|2|3|them)(?: (?:of|the|these|those|two|three|2|3|all)){0,4}"
    rf"(?: {_DOCUMENT})?"
)
_LIST: Final = (
    r"(?:list|name|find|give|show|tell|extract|collect|enumerate|identify|gather|note)(?: me| us| out)?"
    r" (?:a (?:complete |full )?list of )?(?:all|every|each)\b.{2,}",
    r"make (?:me )?a (?:complete|full) list of .{2,}",
    r"what are all (?:of )?(?:the )?.{2,}",
    r"(?:list|collect|extract) (?:the )?[a-z][\w -]{1,60} (?:in|from|of) (?:this|the|these|both) (?:\w+ )?" + _DOCUMENT,
)
_COMPARE: Final = (
    rf"compare {_TWO}",
    rf"compare {_FILE} (?:and|with|to|against) {_FILE}",
    rf"(?:what (?:are|is)|list|show(?: me)?|describe|explain)(?: all)? the (?:main |key )?differences? between {_TWO}",
    rf"(?:what (?:are|is)|list)(?: all)? the (?:main |key )?differences? between {_FILE} and {_FILE}",
    rf"how do {_TWO} differ(?: from each other)?",
    rf"what (?:has )?changed between {_TWO}",
)
_HAN_POLITE = r"(?:请问?|请你|麻烦你?|帮我|帮忙|给我|能不能|能否|可以|可否|你能){0,4}"
_HAN_DOCUMENT = r"(?:文件|文档|报告|年报|合同|协议|论文|文章|手册|资料|材料|版本)"
_HAN_TWO = (
    rf"(?:这|那)?(?:两|二|三|几|2|3)(?:个|份|篇|本|者)?{_HAN_DOCUMENT}?|这些{_HAN_DOCUMENT}|它们|所有{_HAN_DOCUMENT}"
)
_HAN_LIST: Final = (
    r"(?:列出|列举|罗列|找出|找到|提取|汇总|整理|梳理|归纳)(?:一下)?(?:.{0,20}[中里]面?的?)?"
    r"(?:所有|全部|每个|每一|各个?|一切).{1,40}",
    r"(?:.{0,20}(?:中|里|里面))?(?:所有|全部)的?.{1,30}(?:有哪些|是什么|是哪些|列出来)",
    r"把.{0,30}(?:所有|全部).{1,30}(?:列|找|提取|整理)出来",
)
_HAN_COMPARE: Final = (
    rf"(?:比较|对比|比对)(?:一下)?(?:{_HAN_TWO})(?:的?(?:内容|异同|差异|区别|不同)(?:之处)?)?",
    rf"(?:{_HAN_TWO})(?:之间)?(?:有|存在)?(?:什么|哪些|何)?(?:主要)?的?(?:不同|区别|差异|异同)(?:之处|点)?"
    r"(?:是什么|有哪些|在哪里?)?",
)


class Whole(StrEnum):
    """What is asked of whole documents."""

    SUMMARY = "summary"
    LIST = "list"
    COMPARISON = "comparison"


def _compiled(patterns: tuple[str, ...], polite: str, end: str) -> tuple[re.Pattern[str], ...]:
    return tuple(re.compile(f"{polite}(?:{pattern}){end}", re.IGNORECASE) for pattern in patterns)


_PATTERNS: Final = {
    Whole.COMPARISON: _compiled(_COMPARE, _POLITE, "") + _compiled(_HAN_COMPARE, _HAN_POLITE, "[吗呢吧啊]*"),
    Whole.LIST: _compiled(_LIST, _POLITE, "") + _compiled(_HAN_LIST, _HAN_POLITE, "[吗呢吧啊]*"),
}


def whole_request(question: str) -> Whole | None:
    """What a question asks of whole documents; None for a question about something in them."""
    text = " ".join(unicodedata.normalize("NFKC", question).split()).strip(" ?.!。，,；;？！")
    if not text or len(text) > MAX_CHARACTERS:
        return None
    for kind, patterns in _PATTERNS.items():
        if any(pattern.fullmatch(text) for pattern in patterns):
            return kind
    return Whole.SUMMARY if summary_target(question) is not None else None
