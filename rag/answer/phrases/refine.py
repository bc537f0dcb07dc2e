"""What a span must be before it is stated: a whole date, the new value of a change, and not words of the question."""

from __future__ import annotations

import re
from typing import Final

from rag.answer.claims.dates import MONTH
from rag.answer.phrases.kind import Kind
from rag.answer.phrases.limits import bound_asked_for
from rag.index.tokenize import terms
from rag.language import mainly_chinese

_DATE: Final = re.compile(
    rf"\b\d{{1,2}}(?:st|nd|rd|th)? {MONTH}\.?,? \d{{4}}\b|\b{MONTH}\.? \d{{1,2}}(?:st|nd|rd|th)?,? \d{{4}}\b"
    rf"|\d{{4}}年(?:\d{{1,2}}月)?(?:\d{{1,2}}日)?|(?:\b{MONTH},? )?\b(?:1[5-9]|20)\d\d\b",
    re.IGNORECASE,
)
_BEGINNING: Final = re.compile(
    r"\b(?:beg[iau]n\w*|commenc\w+|start\w*|effective|from)\b|开始|起始|生效|自", re.IGNORECASE
)
_ENDING: Final = re.compile(
    r"\b(?:end(?:s|ed|ing)?|expir\w+|finish\w*|terminat\w+|until)\b|结束|届满|到期|终止|至", re.IGNORECASE
)
_FROM_TO: Final = re.compile(
    r"(?:\bfrom|从|由|自)\s?(?P<old>[^,，;；。]{1,30}?)\s?(?:\bto\b|[调降升提增减改]{0,3}[至为到])\s?"
)
_NEW: Final = re.compile(r"\b(?:new|now|current|currently|revised)\b|新的?|现在|目前|调整后|修订后", re.IGNORECASE)
_VALUE: Final = re.compile(r"[$£€¥￥]?\s?\d[\d,.]*\d?\s?%?(?:\s?(?:million|billion|thousand|万|亿)?元?)", re.IGNORECASE)
_TWO_VALUES: Final = re.compile(r"\W?[$£€¥￥][\d,.]+ [$£€¥￥][\d,.]+|[\d,.]+ ?% [\d,.]+ ?%|\d[\d,.]* and \d[\d,.]*")
_SAME_UNIT: Final = re.compile(r"\d[\d,.]{0,12} ?(?P<unit>[^\W\d_]{1,10}) \d[\d,.]{0,12} ?(?P=unit)")  # "650 W 860 W"
_TWO_YEARS: Final = re.compile(r"((?:1[5-9]|20)\d\d) and ((?:1[5-9]|20)\d\d)")
_TIMES: Final = re.compile(r"(?:more than |about |nearly )?(?:once|twice|double|half)", re.IGNORECASE)
_YEAR: Final = re.compile(r"\byears?\b|年", re.IGNORECASE)
_BETWEEN: Final = re.compile(r"\bbetween (?P<low>[$£€¥￥]?\d[\d,.]{0,20}(?: (?:million|billion|thousand))?) and $")
_MAX_NAME: Final = 12  # words of a name
_WHICH_ONE: Final = re.compile(r"^\W*which (?!of\b)\w", re.IGNORECASE)
_FINITE: Final = re.compile(
    r"\S\s(?:is|are|was|were|has|have|had|will|would|can|could|may|must|did|does)\s", re.IGNORECASE
)
_POINTS_ELSEWHERE: Final = re.compile(
    r"(?:(?:the|each of the|one of the|by the) )?(?:following|undersigned|foregoing|aforementioned|above|below)\b",
    re.IGNORECASE,
)
_IF: Final = re.compile(r"\b(?:if|in case)\b|如果|若|倘若", re.IGNORECASE)
_CONDITION: Final = re.compile(r"\W{0,5}(?:if|in case|如果|倘若|若)[^,，。]{3,300}[,，]", re.IGNORECASE)
_WORDS_AFTER: Final = 2  # that a span may have after a date
_HAN_FORMS: Final = re.compile(r"(?:股份)?有限(?:责任)?公司|集团|公司")
# Of companies, and what reports call their own.
_FORMS: Final = frozenset("inc corp corporation company co ltd plc llc group holding the our registrant".split())
_MAX_SENTENCE: Final = 1_000  # characters
_HAN_NAMES_AFTER: Final = re.compile(r"(?:、[\u4e00-\u9fff·]{2,4})+(?=[，。；;,.（(]|$)")
_LEGAL_FORM: Final = re.compile(r"(?:\b(?:GmbH|Inc|Ltd|LLP|LLC|plc|PLC|Corp|Corporation|AG|Co)\b\.?)$")
_CAPITALISED_BEFORE: Final = re.compile(r"(?:\b[A-Z][\w&’'-]{0,40},? ){1,4}$")
_CHOICE: Final = re.compile(r"\b(?:which|who)\b[^,?]{2,120}[,:] ?([^,?]{1,50}) or ([^,?]{1,50})\?", re.IGNORECASE)
_SIDES: Final = r"(?:(?P<against>against\b)|(?P<for>for\b|in favou?r\b)|(?P<abstained>abst\w+))"
_VOTED: Final = re.compile(rf"\bhow many\b.{{0,60}}?(?:vote[ds]?|voting|cast)(?: \w{{1,12}})? {_SIDES}", re.IGNORECASE)
_VOTES: Final = re.compile(
    rf"(?P<number>\b\d[\d,]{{0,12}}|\b(?:one|two|three|four|five|six|seven|eight|nine|ten)\b)"
    rf"(?: (?:votes?|members?|people|shares))?(?: (?:were|voted))? {_SIDES}",
    re.IGNORECASE,
)
_HOW_OFTEN: Final = re.compile(r"\bhow (?:often|frequently)\b|多久.{0,6}一次|多长时间.{0,6}一次|频率", re.IGNORECASE)
_OFTEN: Final = re.compile(
    r"\b(?:(?:once|twice|\w+ times) (?:a|an|per|every|each) (?:\w+ )?\w+|every (?:\w+ )?"
    r"(?:hour|day|week|month|quarter|year)s?"
    r"|hourly|daily|weekly|monthly|quarterly|annually|yearly|each (?:day|week|month|quarter|year))\b"
    r"|每[隔]?[\d一二两三四五六七八九十半]{0,3}个?(?:小时|天|日|周|月|季度|年)(?:[\d一二两三四五]?次)?",
    re.IGNORECASE,
)


def refined(kind: Kind, question: str, text: str, start: int, end: int) -> tuple[int, int]:
    """The span as it should be stated."""
    if len(text) > _MAX_SENTENCE:
        return start, end
    if kind is Kind.DATE:
        return _date_asked_for(question, text, start, end)
    if kind is Kind.NUMBER and (votes := _votes_asked_for(question, text, start, end)):
        return votes
    if kind in (Kind.NUMBER, Kind.MONEY) and (low := _BETWEEN.search(text, 0, start)):
        return low.start("low"), end
    if kind in (Kind.NUMBER, Kind.DURATION):
        return bound_asked_for(question, text, start, end)
    return _new_value(text, start, end) if _NEW.search(question) else (start, end)


def _votes_asked_for(question: str, text: str, start: int, end: int) -> tuple[int, int] | None:
    """The number of votes against, for or abstaining, whichever is asked for, in the sentence of a span."""
    asked = _VOTED.search(question)
    if asked is None:
        return None
    side = next(name for name, value in asked.groupdict().items() if value)
    votes = [one for one in _VOTES.finditer(text) if one[side]]
    inside = [one for one in votes if start <= one.start() < end]
    return (inside or votes)[0].span("number") if len(votes) == 1 or inside else None


def answers_nothing(question: str, text: str, start: int, end: int) -> bool:
    """Whether a span repeats the question, says "the Company" or "the following", is two cells, or is "twice"."""
    span = text[start:end]
    if _POINTS_ELSEWHERE.match(span):
        return True
    said = set(terms(_HAN_FORMS.sub("", span))) - _FORMS
    if not said and terms(span):
        return True
    choice = re.search(r"\bor\b|还是", question)
    if said and said <= set(terms(question)) and not choice:
        return True
    years = _TWO_YEARS.fullmatch(span)
    if years and years[1] < years[2]:  # of prose; those above the columns of a table begin with the last one
        return False
    if _SAME_UNIT.fullmatch(span):
        return True
    return _TWO_VALUES.fullmatch(span) is not None or (
        _TIMES.fullmatch(span) is not None and text[end:].lstrip().startswith("as ")
    )


def is_of_condition(question: str, text: str, start: int, end: int) -> bool:
    """Whether a span is part of a sentence's condition that the question repeats: "What happens if …?"."""
    condition = _CONDITION.match(text)
    return condition is not None and start < end <= condition.end() and _IF.search(question) is not None


def asks_which(question: str) -> bool:
    """Whether it asks which of several things of a kind; a name answers that, a clause does not."""
    return _WHICH_ONE.search(question) is not None


def is_clause(span: str) -> bool:
    """Whether a span says something about somebody rather than only naming them."""
    return _FINITE.search(span) is not None or len(span.split()) > _MAX_NAME


def is_no_choice(question: str, span: str) -> bool:
    """Whether a question offers two things to choose from, and the span is neither: "Which is heavier, A or B?"."""
    choice = _CHOICE.search(question)
    if choice is None:
        return False
    said = set(terms(span))
    return not any(said & set(terms(side)) for side in choice.groups())


def completed(kind: Kind, question: str, text: str, start: int, end: int) -> tuple[int, int]:
    """The span with what belongs to it: the rest of an organisation's name, the other names in a Chinese list."""
    if kind is Kind.PERSON and (others := _HAN_NAMES_AFTER.match(text, end)) and mainly_chinese(text[start:end]):
        return start, others.end()
    if _LEGAL_FORM.search(text, start, end) and (before := _CAPITALISED_BEFORE.search(text, 0, start)):
        return before.start(), end
    if _HOW_OFTEN.search(question) and not _OFTEN.search(text, start, end):
        found = list(_OFTEN.finditer(text))
        return found[0].span() if len(found) == 1 else (start, end)
    return start, end


def _date_asked_for(question: str, text: str, start: int, end: int) -> tuple[int, int]:
    """The whole date around the span, or the other end of a period if the question asks for that one."""
    dates = [match.span() for match in _DATE.finditer(text)]
    n = next((n for n, (a, b) in enumerate(dates) if a <= start < b or a < end <= b), None)
    if n is None:
        return start, end
    for asked, other in ((_ENDING, _BEGINNING), (_BEGINNING, _ENDING)):
        if not asked.search(question) or other.search(question):
            continue
        leads = [text[dates[k - 1][1] if k else 0 : date[0]] for k, date in enumerate(dates)]
        fitting = [date for date, lead in zip(dates, leads, strict=True) if asked.search(lead)]
        if other.search(leads[n]) and not asked.search(leads[n]) and fitting:
            return fitting[0]
    start, stop = start if _YEAR.search(question) else min(start, dates[n][0]), dates[n][1]
    goes_on = len(re.findall(r"[^\W\d_]{2,}", text[stop:end])) > _WORDS_AFTER
    return start, stop if goes_on else max(end, stop)


def _new_value(text: str, start: int, end: int) -> tuple[int, int]:
    """The value after "to", if the span is the one after "from"."""
    for match in _FROM_TO.finditer(text):
        old = match.span("old")
        if old[0] <= start and end <= old[1] and (new := _VALUE.match(text, match.end())):
            return match.end(), match.end() + len(new.group().rstrip(" .,"))
    return start, end
