"""Which sentences can stand in a summary: statements that need no context; no tables, notices or references."""

from __future__ import annotations

import re

from rag.answer.sentences import split_sentences
from rag.language import mainly_chinese

# Words that only prose has many of.
_FUNCTION_WORDS = frozenset(
    "the a an of to in and for is are was were be been by on with as at from that which this it its their our we has"
    " have had not or can will may also than more into between through during under over such these those they".split()
)
_VERBS = re.compile(
    r"\b(?:is|are|was|were|be|been|has|have|had|do|does|did|can|could|may|might|will|would|shall"
    r"|should|must|[a-z]{2,}(?:ed|es|s|ing))\b"
)
# A beginning that refers to what stands before.
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
# Boilerplate of reports, contracts, papers and web pages: says nothing about the document.
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
    """The statements of a passage in order, without those cut off at its beginning."""
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
