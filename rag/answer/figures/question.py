"""What a question about figures asks for: operations, a limit, and the names of the items.

In English and Chinese, using only regular expressions. Knows nothing about tables.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache

from rag.answer.figures.periods import without_periods
from rag.answer.phrases.counted import asks_how_many
from rag.index.tokenize import terms


class Operation(StrEnum):
    """What to do with the cells that the question names."""

    LOOKUP = "lookup"
    SERIES = "series"  # one value for each period or item
    CHANGE = "change"
    PERCENT_CHANGE = "percent change"
    AVERAGE = "average"
    SUM = "sum"
    SHARE = "share"  # one item as a percentage of another
    RATIO = "ratio"
    WHICH = "which"  # the period or item with the largest or smallest value, or beyond a limit
    COUNT = "count"  # how many periods or items lie beyond a limit, or make up a total
    PERIODS = "periods"  # the periods that a table has values for
    ITEMS = "items"  # the rows that make up a total or a section


@dataclass(frozen=True, slots=True)
class Limit:
    """A condition such as "exceed $5,000 million"."""

    above: bool
    value: float
    scale: str  # "thousand", "million", ...; "" for the table's own


_SUPERLATIVE = (
    r"(?:largest|highest|greatest|most|higher|larger|greater|more|maximum|biggest|smallest|lowest|least|lower|smaller"
    r"|fewer|less|minimum|exceed\w{0,5}|above|below|over|under|negative|positive)\b"
)
_MOST = r"(?:largest|highest|greatest|most|maximum|biggest|smallest|lowest|least|minimum|exceed\w{0,5}|higher|lower)\b"
_THINGS = r"(?:components?|items?|types|kinds|categor(?:y|ies)|segments?|elements?|breakdown|regions?|countries)"
_OPERATIONS = {
    # Tried in this order; one whose words are in the row's own label is skipped ("net change in cash").
    Operation.COUNT: (
        r"\bhow many (?:of the )?(?:years|quarters|periods|months|fiscal years)\b"
        rf"|^(?:in [\w ]+, )?how many (?:[\w-]+ ){{0,3}}(?:{_THINGS}|expenses)\b|几[年个]"
    ),
    Operation.PERIODS: (
        rf"^(?!.*\b{_SUPERLATIVE})"
        r"(?:(?:(?:in|for) )?(?:which|what) (?:fiscal |financial )?(?:years?|periods|FYs|quarters)(?:\(s\))?\b"
        r"|what (?:are|were) the (?:fiscal |financial )?(?:years|periods)\b)|哪[些几]个?(?:年|期|会计年)"
    ),
    Operation.ITEMS: (
        rf"^(?:which|what|list|name)(?: (?:is|are|was|were))?(?: all)?(?: the)?(?: [\w-]+){{0,3}} {_THINGS}"
        r" (?:[\w-]+ ){0,3}(?:of|under|in|that|are|is|do|does|included|listed|make|making"
        r"|considered|factored|used|from)\b"
        rf"(?!.*\b{_MOST})"
        r"|\bconsists? of\b|\bcomprised? of\b|\bmade up of\?$|由哪些|包括哪些|构成是|哪些项目"
    ),
    Operation.WHICH: (
        rf"\bwhich\b.*\b{_SUPERLATIVE}"
        rf"|^(?:in |at |for )?what (?:fiscal |financial )?(?:year|quarter|period|month)s?\b.*\b{_SUPERLATIVE}"
        rf"|\bwhat (?:is|was|are|were) the {_THINGS}\b.*\b{_SUPERLATIVE}|哪.*[最更][大高多小低少]"
    ),
    Operation.PERCENT_CHANGE: (
        r"(?:percent(?:age)?|%) (?:change|increase|decrease|growth|decline|difference)|\b(?:growth|change) rate"
        r"|rate of (?:change|growth)|(?:change|increase|decrease|growth) in (?:percent\w{0,5}|%)"
        r"|(?:what|how many) percent\w{0,5}.*\b(?:increase|decrease|grow|change|rise|fall)"
        r"|(?:increase|decrease|grow|change|rise|fall)\w* by (?:what|how many) percent"
        r"|\bhow fast\b|\bin percent(?:age)? terms\b"
        r"|增长率|[增减]长?了?百分之|同比(?:增长|下降|变动|增减)?|比上年(?:同期)?增减|变动率|增幅|降幅|增速"
    ),
    Operation.SHARE: (
        r"as an? (?:percentage|percent|share|%|proportion|ratio) (?:of|in|to|over)"
        r"|(?:percentage|percent|proportion|%)(?: \([\w ]+\))?(?: constitution)? (?:of|for|in)\b|(?<!per )\bshare of\b"
        r"|what (?:percent(?:age)?|share|proportion)\b|\bexpressed as an?\b|占.*(?:百分|比例|比重)|占比|比重"
    ),
    Operation.CHANGE: (
        r"\b(?:change|changed|difference|increase|decrease|variance|growth|drop)s?\b|\bhow did\b"
        r"|\bhow much (?:more|less)\b|how much (?:did|has|have)\b.*\b(?:change|increase|decrease|grow|fall|rise|drop)"
        r"|[增减](?:加|少|长)了?多少|[多少高低]多少|差额|相差|变动|变化"
    ),
    Operation.RATIO: r"\bratio\b|比率",
    Operation.AVERAGE: r"\b(?:average|mean)\b|平均",
    Operation.SUM: (
        r"\b(?:sum of|combined|added up|total of|sum total|in total|together|cumulative)\b|\bsum\b"
        r"|\btotal\b.*\b(?:both|(?:across|over) (?:all|the))\b|总和|之和|合计|共计|累计"
    ),
    Operation.SERIES: r"\brespective(?:ly)?\b|分别|各",
}
_PATTERNS = {operation: re.compile(pattern, re.IGNORECASE) for operation, pattern in _OPERATIONS.items()}
_OWN_WORDS = {
    # Words of an operation that a label may have itself.
    Operation.CHANGE: re.compile(r"\b(?:change|increase|decrease|difference|variance|growth)|增减|变动", re.IGNORECASE),
    Operation.AVERAGE: re.compile(r"\b(?:average|mean)\b|平均", re.IGNORECASE),
    Operation.RATIO: re.compile(r"\bratio\b|比率", re.IGNORECASE),
    Operation.SHARE: re.compile(r"percent|%|share of|proportion|占比|比例|比重", re.IGNORECASE),
    Operation.PERCENT_CHANGE: re.compile(r"growth|% change|percent\w{0,5} change|增长率|同比|增减|增速", re.IGNORECASE),
    Operation.SUM: re.compile(r"\bcombined\b|\bcumulative\b|\btotals?\b|合计|总计|累计|总和", re.IGNORECASE),
}
_PERCENT_ASKED = re.compile(r"percent|%|百分|占比|比重", re.IGNORECASE)
_DIFFERENCE = re.compile(
    r"\bdifference\b|\bhow much (?:more|less|higher|lower|larger|smaller)\b|相差|差额|[多少高低]多少", re.IGNORECASE
)
_NUMBER_OF = re.compile(r"\bnumber of\b", re.IGNORECASE)
_AMOUNTS = re.compile(
    r"\bhow many\b.*(?:\b(?:dollars?|euros?|pounds?|yuan|cents?|usd|percent|times|millions?|billions?|thousands?)\b|%)",
    re.IGNORECASE,
)
_PLAIN_RATIO = re.compile(r"\bproportion\b|\bas an? ratio\b", re.IGNORECASE)
_SMALLEST = re.compile(
    r"\b(?:smallest|lowest|least|lower|smaller|fewer|less|minimum|fewest)\b|[最更][小低少]", re.IGNORECASE
)
_RANKED = re.compile(
    r"\b(second|third|2nd|3rd)[ -](?=(?:larg|high|great|most|big|small|low|least))|第([二三])", re.IGNORECASE
)
_THING = re.compile(
    r"^(?:.{0,60}?,? )?(?:(?:in|at|for) )?(?:which|what)(?: (?:is|was|are|were|of) the)?"
    r" (?P<thing>(?:fiscal |financial )?[\w-]+)(?:\(s\))?",
    re.IGNORECASE,
)
_WHICH_PERIOD = re.compile(
    r"\bwhich (?:of the )?(?:fiscal |financial )?(?:years?|quarters?|periods?|months?)\b", re.IGNORECASE
)
_PERIOD = re.compile(r"year|FY|quarter|period|date|month|年|季", re.IGNORECASE)
_LIMIT = re.compile(
    r"(?P<above>\b(?:exceed\w{0,5}|above|more than|greater than|larger than|higher than|over)|超过|高于|大于)"
    r"|\b(?:below|less than|lower than|smaller than|under|fewer than)|低于|小于|不足",
    re.IGNORECASE,
)
_LIMIT_VALUE = re.compile(
    r"\D{0,3}(?P<value>\d[\d,]*(?:\.\d+)?)\s*(?P<scale>thousands?|millions?|billions?|万|百万|亿)?", re.IGNORECASE
)
_HAN_SCALES = {"万": "ten thousand", "百万": "million", "亿": "hundred million"}
_SIGN = re.compile(r"\b(?:was|is|were|are)\b.*\b(?P<sign>negative|positive)\b", re.IGNORECASE)
_DECIMALS = re.compile(
    r"(?:round\w{0,5}|to|保留|精确到)[^.;!?。；]{0,30}?(?P<count>\d|one|two|three|four|no|whole|一|两|二|三|四)"
    r"[ -]?(?:decimal|digit|位小数|number|percent)",
    re.IGNORECASE,
)
_COUNTS = {"one": 1, "two": 2, "three": 3, "four": 4, "no": 0, "whole": 0, "一": 1, "两": 2, "二": 2, "三": 3, "四": 4}
_END = r"(?:,? in | for | as of | as at | at | from |,|\?|？|$)"
_PAIRS = tuple(
    re.compile(pattern, re.IGNORECASE)
    for pattern in (
        rf"difference (?:in .+? )?between (?:the )?(?P<a>.+?) and (?:the )?(?P<b>.+?){_END}",
        r"how much (?:more|less|higher|lower) .+? (?:from|in|for) (?:the )?(?P<a>.+?) (?:as )?(?:compared to|than)"
        rf" (?P<b>.+?){_END}",
        rf"ratio (?:\([\w ]+\) )?of (?P<a>.+?) (?:to|over|in|against) (?P<b>.+?){_END}",
        r"(?:(?:value|amount) of |how much (?:is|are|was|were) |what (?:is|are|was|were) )?(?P<a>.+?)"
        r" (?:expressed )?as an? (?:percentage|percent|share|%|proportion|ratio) (?:of|to|in|over) (?P<b>.+?)"
        r"(?:\?|？|$)",
        r"(?:percentage|percent|proportion|share|%)(?: \([\w ]+\))?(?: constitution)? of (?P<b>.+?)"
        r" (?:is |are |was |were )?(?:made up of|generated (?:from|by)|attributable to|represented by|comprised of"
        rf"|made up by|due to) (?P<a>.+?){_END}",
        r"(?:percentage|percent|proportion|share|%)(?: \([\w ]+\))?(?: constitution)? of (?P<b>.+?) (?:do|does|did)"
        r" (?P<a>.+?) (?:form|make up|constitute|account for|represent|contribute)",
        r"(?:percentage|percent|proportion|share|constitution|%)(?: \([\w ]+\))? of (?:the )?(?P<a>.+?)"
        rf" (?:in|over|to|out of|among|against) (?P<b>(?:the )?(?:total |overall )[a-z].+?){_END}",
        r"(?:percentage|percent|proportion|share|constitution|%)(?: \([\w ]+\))? of (?:the )?(?P<a>.+?)"
        rf" (?:in|over|to|out of|of|among|against) (?P<b>[a-z].+?){_END}",
        rf"(?:sum|total|average) of (?P<a>.+?) and (?P<b>.+?){_END}",
        r"(?P<a>[^，,。]{1,40}?)比(?P<b>[^，,。？?]{1,40}?)[多少高低]多少",
        r"(?P<a>[^，,。]{1,40}?)占(?P<b>[^，,。？?]{1,40}?)的?(?:百分|比|多少)",
        r"(?P<a>[^，,。]{1,40}?)(?:和|与|跟)(?P<b>[^，,。？?]{1,40}?)(?:的?(?:差额|差异|之和|总和|比率|合计|相差))",
    )
)
# The same for Chinese, whose terms are pairs of characters, so these words are removed first.
_ASKING_HAN = re.compile(
    r"[两三四五]年|归属于(?:上市公司|母公司)?(?:股东|所有者)|同比|环比|增长率?|增加|减少|下降|增幅|降幅|变动率?|变化|百分之|多少|几何|分别|平均|合计|总和|之和|相差|差额|占比|比例|比率|比重"
    r"|比上年(?:同期)?增减|哪一?[个年]?|最[大高多小低少]|更[大高多小低少]|年度?|是|为|的|了|占|与|和|在|从|到|至|公司|报告期|期末|有"
)
# Terms of questions that say what to do, or when, but not which item is meant.
_ASKING = frozenset(
    terms(
        "what was is were are the change difference percent average mean sum increase decrease between from to in of"
        " for and respective respectively year years fiscal fy company much many did which constitution over period"
        " across both nominal two three higher largest highest lowest smaller larger lower greater smallest exceed more"
        " less than ended ending end components items types kinds categories elements consist comprised listed table"
        " included breakdown grow grew rise rose fall fell changed spend spent pay paid earn earned make made report"
        " reported have had its form part come came each how all there respectively during compared per as at on by"
        " quarter quarters first second third fourth month months january february march april may june july august"
        " september october november december been their our we or growth decline most least greatest biggest under"
        " what's give show tell find calculate compute expressed cast get got fewest"
    )
)
# Words that headers and labels may have, but that a question may also use for any figure.
_SOFT = frozenset(terms("value amount number percentage ratio proportion figure share sum financial"))


def operations_of(question: str) -> list[Operation]:
    """The operations that a question may ask for, most likely first; a plain lookup is always the last."""
    found = [operation for operation, pattern in _PATTERNS.items() if pattern.search(question)]
    return [*found, Operation.LOOKUP]


def operation_of(question: str) -> Operation:
    """The operation that a question most likely asks for."""
    return operations_of(question)[0]


def is_own_word(operation: Operation, label: str) -> bool:
    """Whether a label itself contains the words of an operation, like "net change in cash"."""
    pattern = _OWN_WORDS.get(operation)
    return pattern is not None and bool(pattern.search(label))


def asks_for_plain_ratio(question: str) -> bool:
    """Whether a share is to be given as a plain number, 0.25, and not in percent."""
    return bool(_PLAIN_RATIO.search(question)) and not _PERCENT_ASKED.search(question)


def asks_for_difference(question: str) -> bool:
    """Whether the question asks by how much two values differ."""
    return bool(_DIFFERENCE.search(question))


def asks_for_number(question: str) -> bool:
    """Whether things are counted, "how many votes"; their number needs no scale."""
    return asks_how_many(question) or bool(_NUMBER_OF.search(question))


def asks_for_count(question: str) -> bool:
    """Whether it asks how many things there are, which is no amount of money."""
    return asks_how_many(question) and not _AMOUNTS.search(question)


def asks_for_percent(question: str) -> bool:
    """Whether the question names percent."""
    return bool(_PERCENT_ASKED.search(question))


@lru_cache(maxsize=20_000)
def stems(text: str) -> tuple[str, ...]:
    """The terms of a text without common English endings, so that "granted" and "grants" are one."""
    return tuple(map(_stem, terms(text)))


def _stem(term: str) -> str:
    for ending in ("ing", "ed", "ion", "e"):
        if len(term) > len(ending) + 3 and term.endswith(ending) and term.isascii():
            return term[: -len(ending)]
    return term


_ASKING_STEMS, _SOFT_STEMS = frozenset(map(_stem, _ASKING)), frozenset(map(_stem, _SOFT))


def item_terms(text: str) -> list[str]:
    """The stems that say which item is meant, each once."""
    text = _ASKING_HAN.sub(" ", without_periods(text))
    return [term for term in dict.fromkeys(stems(text)) if term not in _ASKING_STEMS and not _is_number(term)]


def _is_number(term: str) -> bool:
    return term.replace(".", "", 1).isdigit()


def is_soft(term: str) -> bool:
    """Whether a term says little about which item is meant: amount, value, number."""
    return term in _SOFT_STEMS


def pair_of(question: str) -> tuple[str, str] | None:
    """The names of the two items that a question compares or divides, in the order of the formula."""
    match = next((found for pattern in _PAIRS if (found := pattern.search(question))), None)
    return (match["a"], match["b"]) if match else None


def limit_of(question: str) -> tuple[Limit, str] | None:
    """The condition in a question, and the text of the question before it."""
    for match in _LIMIT.finditer(question):
        if value := _LIMIT_VALUE.match(question, match.end()):
            scale = (value["scale"] or "").lower().removesuffix("s")
            number = float(value["value"].replace(",", ""))
            return Limit(bool(match["above"]), number, _HAN_SCALES.get(scale, scale)), question[: match.start()]
    if sign := _SIGN.search(question):
        return Limit(sign["sign"].lower() == "positive", 0.0, ""), question[: sign.start("sign")]
    return None


def rank_asked(question: str) -> int:
    """2 for "the second largest", 3 for the third; else 1."""
    match = _RANKED.search(question)
    return 1 if match is None else 2 if (match[1] or match[2]).lower() in ("second", "2nd", "二") else 3


def decimals_of(question: str) -> int | None:
    """The decimals that a question asks to round to; None if it says nothing."""
    match = _DECIMALS.search(question)
    if match is None:
        return None
    count = match["count"].lower()
    return int(count) if count.isdigit() else _COUNTS[count]


def asks_for_smallest(question: str) -> bool:
    """Whether the smallest value is asked for, not the largest."""
    return bool(_SMALLEST.search(question))


def asks_for_period(question: str) -> bool:
    """Whether "which ...?" asks for a period; else for an item."""
    if _WHICH_PERIOD.search(question):
        return True
    thing = _THING.search(question)
    return bool(_PERIOD.search(thing["thing"] if thing else question))


def without_thing(question: str) -> str:
    """The question without the kind of thing it asks for: "In which year was X larger?" -> "was X larger?"."""
    thing = _THING.search(question)
    return question[thing.end() :] if thing else question
