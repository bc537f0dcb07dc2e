"""How well a sentence fits what a question asks for, apart from its topic: what it may be, and what it cannot be."""

from __future__ import annotations

import re
from typing import Final

from rag.answer.phrases.kind import Kind
from rag.language import find_han

# What a sentence that answers contains, by the kind of thing asked for.
_SIGNS: Final = {
    Kind.WHY: re.compile(
        r"\b(?:because|due to|owing to|as a result|result(?:ed|ing|s) (?:from|in)|driven by|caused? by"
        r"|attributable to|attributed to|reflect(?:s|ed|ing)|in order to|so that|therefore|thanks to|reasons?"
        r"|stem(?:s|med) from|led to|since|primarily (?:from|by)"
        r"|to (?:avoid|ensure|protect|allow|prevent|reduce|improve|support))\b"
        r"|因为|由于|因此|所以|导致|为了|原因|受.{1,20}影响|得益于|归因于|主要系|系因|以便|从而|使得",
        re.IGNORECASE,
    ),
    Kind.HOW: re.compile(
        r"\b(?:by \w+ing|through|using|via|by means of|with the help of|steps?|method|procedure|must|first|then|press"
        r"|select|click|calculated|determined|measured)\b"
        r"|通过|使用|利用|采用|方法|步骤|首先|然后|依靠|借助|按照|按下|点击",
        re.IGNORECASE,
    ),
    Kind.DATE: re.compile(
        r"\b(?:1\d|20)\d\d\b"
        r"|\b(?:january|february|march|april|may|june|july|august|september|october|november|december|monday|tuesday"
        r"|wednesday|thursday|friday|saturday|sunday|century|annually|daily|weekly|monthly)\b"
        r"|\d\s*(?:st|nd|rd|th)\b|[\d一二三四五六七八九十]\s*[年月日]|世纪",
        re.IGNORECASE,
    ),
    Kind.PERCENT: re.compile(r"\d\s*[%％]|\bpercent|\b(?:half|third|quarter|majority)\b|百分之|成|半", re.IGNORECASE),
    Kind.LIST: re.compile(
        r"\b(?:includ(?:e|es|ed|ing)|such as|consist\w* of|compris\w+|namely)\b|[:：;；]|,[^,]{1,60},|、"
        r"|包括|分为|以下|如下",
        re.IGNORECASE,
    ),
    Kind.CHANGE: re.compile(
        r"\b(?:increas|decreas|ris|rose|fell|fall|grew|grow|declin|chang|replac|amend|revis|introduc"
        r"|remov|no longer|new)\w*"
        r"|增|减|上升|下降|变|修订|取消|新",
        re.IGNORECASE,
    ),
}
_QUANTITY: Final = re.compile(
    r"\d"
    r"|\b(?:one|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|twenty|thirty|forty|fifty|hundred|thousand"
    r"|million|billion|half|third|dozen|once|twice|several|many)\b"
    r"|[一二三四五六七八九十百千万两]",
    re.IGNORECASE,
)
_QUANTITIES: Final = frozenset({Kind.NUMBER, Kind.MONEY, Kind.DURATION})
_NAMED: Final = re.compile(r"[^\W\d_]{2}|[\u4e00-\u9fff]")
# What a value has, by the kind of thing asked for.
_VALUES: Final = {
    **dict.fromkeys(
        _QUANTITIES,
        re.compile(
            rf"{_QUANTITY.pattern}|\b\w{{3,5}}teen\b|\b(?:six|seven|eigh|nine)ty\b"
            r"|\b(?:hour|dai|week|month|quarter|annual|year)ly\b|\b(?:no|none|zero|few|free|all|both|pairs?|every|each|until|since"
            r"|always|permanent|indefinite)|[零无两几半每数]",
            re.IGNORECASE,
        ),
    ),
    Kind.PERCENT: re.compile(
        rf"{_SIGNS[Kind.PERCENT].pattern}|\b(?:all|none|most|thirds|\w{{3,5}}ths?|one in|two in)\b"
        r"|\d\s?(?:/|of)\s?\d|\b0?\.\d|分之",
        re.IGNORECASE,
    ),
    Kind.DATE: re.compile(rf"{_SIGNS[Kind.DATE].pattern}|(?-i:[A-Z])|\d|[\u4e00-\u9fff]", re.IGNORECASE),
    Kind.PERSON: _NAMED,
    Kind.PLACE: _NAMED,
}
_VALUE: Final = r"[$£€¥￥]? ?\(?\d(?:[\d,.]{0,15}\d)?(?: ?[%％])?\)?"
_ROW: Final = re.compile(rf"\s(?:{_VALUE} {_VALUE}|(?!(?:1\d|20)\d\d$){_VALUE})\s*$")

# What is no answer, whatever it has in common with a question. What a sentence may begin with has patterns of its own,
# which are tried once and not at each character; where a pattern is slow, a part of what it finds is looked for first.
_FOLLOWS: Final = re.compile(r"\bas follows\W*$|(?:如下|下列)\W*$", re.IGNORECASE)
_IN_FOLLOWS: Final = ("follows", "如下", "下列")
_REFERENCE_AT_START: Final = re.compile(
    r"\W{0,20}\[?\d{0,3}[\].]?\s{0,9}(?!.*\b(?:has|have|was|were|will|had)\b)"
    r"(?:[A-Z][\w'’-]+,? (?:[A-Z]\. ?){1,3}|[A-Z]\. ?[A-Z][\w'’-]+,).*\b(?:19"
    r"|20)\d\d\b"
    r"|\W{0,3}\d{1,3}\.\d{1,3}[a-z]?\W{1,5}[A-Z][^;]{3,300}\b(?:dated|filed) (?:\w+ \d{1,2}, )?(?:19|20)\d\d"
    r"|\(\d{1,2}\) (?:Includes|Excludes|Represents|Reflects|Consists of|Relates to)\b"  # a footnote of a table
)
_REFERENCE: Final = re.compile(
    r"\bet al\.,? (?:19|20)\d\d|\bpp?\. ?\d+[-–]\d+|\bdoi[: ]|\barXiv:|\bISBN\b|\[[JMCD]\]\.?"
)
_IN_REFERENCE: Final = ("et al", "p.", "doi", "arXiv:", "ISBN", "[")
_NO_ANSWER: Final = re.compile(r"/[sSſ]/|_{4,}|\.{5,}|…{3,}| <- (?<=\w <- )\w")  # a signature, furniture, code
_NO_ANSWER_AT_START: Final = re.compile(
    r"\W*(?:sincerely|yours (?:truly|faithfully)|best regards|kind regards|dated?:|signed|by: ?_"
    r"|name: ?_|title: ?_|此致|敬礼|签字|签名|盖章)"
    r"|\W*(?:page \d+(?: of \d+)?|\d+ ?/ ?\d+|table of contents|contents|第 ?\d+ ?页.*|目录|[ivxlc]+"
    r"|all rights reserved.*)\W*$"
    r"|(?:[^\s。]{1,40} ){1,7}\.$"  # of an index, "threads ."
    r"|(?:>|\$|#) ?[\w.]+ ?(?:<-|=|\()"  # a line of code
    r"|\W{0,5}[^.。]{1,120}\(https?://[^\s()]{1,200}\)\W{0,5}(?:\([^()]{1,20}\))?\W{0,3}$",  # of a list of links
    re.IGNORECASE,
)
_BOILERPLATE: Final = re.compile(
    r"\bforward-looking statements?\b|\bincorporated (?:herein )?by reference\b"
    r"|\bindicate by check mark\b|\bsection 1[35]\(?[ad]?\)?"
    r"|\bsecurities exchange act\b|\bsee (?:item|note|part) \d|\brefer to (?:item|note|part) \d"
    r"|前瞻性陈述|详见|参见本(?:报告|节)",
    re.IGNORECASE,
)
_IN_BOILERPLATE: Final = (
    *("forward-look", "by reference", "check mark", "sect", "exchange act", "see ", "refer to "),
    *("前瞻性陈述", "详见", "参见本"),
)
_SENTENCE_END: Final = re.compile(r"[.。!！?？;；”\"')）]\s*$")
NUMBERING: Final = re.compile(
    r"^\W*(?:第[\d一二三四五六七八九十]+[章节条部分]+|[\d.]+|[一二三四五六七八九十]+[、.]|item \d+\w?\.?)\s*",
    re.IGNORECASE,
)
CLAUSE_NUMBER: Final = re.compile(r"第[\d一二三四五六七八九十百哪几]{1,9}[条章节款]|哪一?[条章节款]")
_WORD_WITH_NUMBER: Final = re.compile(r"\b[A-Za-z]{1,20}[.-]?\d{1,4}[A-Za-z]{0,20}\b")
_NUMBERED_TITLE: Final = re.compile(
    r"^\W*\d{1,3}(?:\.\d{1,3}){0,3}[.)] [A-Z][\w-]*(?: [\w-]+){0,2}\.$"
)  # "8. Indemnification."
_HEADING_WORDS: Final = 12
_HEADING_HAN: Final = 20  # characters


def suits(kind: Kind, sentence: str) -> float:
    """1.0 if the sentence contains what such an answer has, 0.0 if it lacks it; 0.5 if nothing can be said."""
    if kind in _QUANTITIES:
        return float(bool(_QUANTITY.search(sentence)))
    signs = _SIGNS.get(kind)
    return 0.5 if signs is None else float(bool(signs.search(sentence)))


def may_be(kind: Kind, value: str) -> bool:
    """Whether a value can be what is asked for: an amount has a number, a person has letters."""
    has = _VALUES.get(kind)
    return has is None or has.search(value) is not None


def is_row(sentence: str) -> bool:
    """Whether it is a row of a table or its header, which ends in values rather than with a full stop."""
    return _ROW.search(sentence) is not None


def is_no_answer(sentence: str, question: str) -> bool:
    """Whether it is a heading, an announcement of what follows, a reference, a signature, furniture or boilerplate.

    Not if the question itself names these: a question about references may be answered by one.
    """
    folded = sentence.casefold()
    if sentence.rstrip().endswith((":", "：")) or (_has(folded, _IN_FOLLOWS) and _FOLLOWS.search(sentence)):
        return True
    if _NO_ANSWER_AT_START.match(sentence) or _NO_ANSWER.search(sentence) or is_heading(sentence):
        return True
    found = _BOILERPLATE.search(sentence) if _has(folded, _IN_BOILERPLATE) else None
    found = found or _REFERENCE_AT_START.match(sentence)
    found = found or (_REFERENCE.search(sentence) if _has(sentence, _IN_REFERENCE) else None)
    return found is not None and found.group().casefold() not in question.casefold()


def _has(text: str, parts: tuple[str, ...]) -> bool:
    return any(part in text for part in parts)


def is_heading(sentence: str) -> bool:
    """A short line without a full stop and without a figure or a colon, but one at its start; or in capitals."""
    if "\n" in sentence:  # a heading with what stands below it
        return False
    text = NUMBERING.sub("", sentence)
    if text != sentence.strip():
        text = _WORD_WITH_NUMBER.sub("x", text)  # "2.1 ASN.1 syntax"
    words, han = text.split(), len(find_han(text))
    # "FORM 8-K"; a sentence in Chinese has no small letters either.
    in_capitals = not han and text.isupper() and len(words) <= _HEADING_WORDS and not re.search(r"\d\d", text)
    if in_capitals or _NUMBERED_TITLE.match(sentence):
        return True
    if _SENTENCE_END.search(sentence) or len(sentence) > 120 or re.search(r"[\d:：=,，]", text):
        return False
    return len(words) <= _HEADING_WORDS if han < 2 else len(text) <= _HEADING_HAN
