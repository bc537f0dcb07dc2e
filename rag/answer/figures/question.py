"""What a question about figures asks for: an operation, periods, a limit, and the names of the items.

In English and Chinese, by regular expressions alone. Knows nothing of tables.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache

from rag.index.tokenize import terms


class Operation(StrEnum):
    """What is done with the cells that the question names."""

    LOOKUP = "lookup"
    SERIES = "series"  # one value for each period
    CHANGE = "change"
    PERCENT_CHANGE = "percent change"
    AVERAGE = "average"
    SUM = "sum"
    SHARE = "share"  # one item as a percentage of another
    RATIO = "ratio"
    WHICH = "which"  # the period or item with the largest or smallest value, or beyond a limit
    COUNT = "count"  # how many periods lie beyond a limit
    PERIODS = "periods"  # the periods that a table has values for
    ITEMS = "items"  # the rows that make up a total or a section


@dataclass(frozen=True, slots=True)
class Limit:
    """A condition such as "exceed $5,000 million"."""

    above: bool
    value: float
    scale: str  # "thousand", "million", ...; "" for the table's own


_OPERATIONS = {
    # The first that matches counts.
    Operation.COUNT: r"^how many (?:of the )?(?:years|quarters|periods|months|fiscal years)\b",
    Operation.PERIODS: (
        r"^(?:(?:in|for) )?(?:which|what) (?:fiscal |financial )?(?:years|periods|FYs)\b"
        r"(?!.*\b(?:exceed|above|below|more|less|higher|lower|larger|smaller|greater|largest|highest|lowest|smallest)\b)"
    ),
    Operation.ITEMS: (
        r"^(?!how).*(?:\b(?:components|items|types|kinds|categories|segments|elements|breakdown)"
        r" (?:of|under|in|that|are|included|listed)\b|\bconsists? of\b|\bcomprised? of\b)|由哪些|包括哪些|构成是"
    ),
    Operation.PERCENT_CHANGE: (
        r"percent(?:age)? (?:change|increase|decrease|growth|decline|difference)|(?:growth|change) rate"
        r"|rate of (?:change|growth)|% change"
        r"|(?:what|how many) percent.*\b(?:increase|decrease|grow|change|rise|fall)"
        r"|(?:increase|decrease|grow|change|rise|fall)\w* by (?:what|how many) percent"
        r"|增长率|[增减]长?了?百分之|同比(?:增长|下降)|变动率|增幅|降幅"
    ),
    Operation.WHICH: (
        r"^(?:in |at )?(?:which|what)\b.*\b(?:largest|highest|greatest|most|higher|larger|greater|more|maximum|biggest"
        r"|smallest|lowest|least|lower|smaller|fewer|less|minimum|exceed\w*|above|below)\b|哪.*[最更][大高多小低少]"
    ),
    Operation.SERIES: r"\brespective(?:ly)?\b|分别",
    Operation.RATIO: r"\bratio\b|比率",
    Operation.AVERAGE: r"\b(?:average|mean)\b|平均",
    Operation.SHARE: r"as a (?:percentage|percent|share|%) of|占.*(?:百分|比例|比重)|占比",
    Operation.CHANGE: (
        r"\b(?:change|difference|increase|decrease|variance)s?\b|how much (?:did|has|have)\b.*\b(?:change|increase"
        r"|decrease|grow|fall|rise)|[增减](?:加|少)了?多少|差额|相差|变动"
    ),
    Operation.SUM: r"\b(?:sum of|combined|added up|total of)\b|总和|之和|合计",
}
_PATTERNS = {operation: re.compile(pattern, re.IGNORECASE) for operation, pattern in _OPERATIONS.items()}
_SHARE_OF = re.compile(
    r"(?:percentage|proportion|share|constitution) (?:constitution )?of|what percent(?:age)?\b|proportion",
    re.IGNORECASE,
)
_SMALLEST = re.compile(
    r"\b(?:smallest|lowest|least|lower|smaller|fewer|less|minimum|fewest)\b|[最更][小低少]", re.IGNORECASE
)
_THING = re.compile(r"^(?:in |at )?(?:which|what) (?P<thing>[\w-]+)", re.IGNORECASE)
_PERIOD = re.compile(r"year|FY|quarter|period|date|month|年|季", re.IGNORECASE)
_LIMIT = re.compile(
    r"\b(?:(?P<above>exceed\w*|above|more than|greater than|larger than|higher than|over)"
    r"|below|less than|lower than|smaller than|under)\b\D{0,3}(?P<value>\d[\d,]*(?:\.\d+)?)\s*"
    r"(?P<scale>thousand|million|billion)?",
    re.IGNORECASE,
)
_END = r"(?: in | for | as of | as at | at |\?|？|$)"
_PAIRS = tuple(
    re.compile(pattern, re.IGNORECASE)
    for pattern in (
        rf"difference (?:in .+? )?between (?P<a>.+?) and (?P<b>.+?){_END}",
        rf"ratio of (?P<a>.+?) (?:to|over) (?P<b>.+?){_END}",
        rf"(?:value|amount) of (?P<a>.+?) as a (?:percentage|percent|share|%) of (?P<b>.+?){_END}",
        r"(?:percentage|proportion|share|constitution) (?:constitution )?of (?P<a>.+?)"
        rf" (?:in|over|to|out of|of|among) (?P<b>[a-z].+?){_END}",
        rf"(?:sum|total|average) of (?P<a>.+?) and (?P<b>.+?){_END}",
    )
)
_LONG_YEAR = re.compile(r"(?<!\d)((?:19|20)\d\d)(?!\d)")
_SHORT_YEAR = re.compile(r"\b(?:FY|F|CY)\s?'?(\d{2})\b", re.IGNORECASE)

# The same of Chinese, whose terms are pairs of characters and so are cut out before.
_ASKING_HAN = re.compile(
    r"同比|环比|增长率?|增加|减少|下降|增幅|降幅|变动率?|变化|百分之|多少|几何|分别|平均|合计|总和|之和|相差|差额|占比|比例|比率"
    r"|哪一?[个年]?|最[大高多小低少]|更[大高多小低少]|年度?|是|为|的|了|占|与|和|在|从|到|至"
)
# Terms of questions that say what to do, or when, and not which item is meant.
_ASKING = frozenset(
    terms(
        "what was is were are the amount value number change difference percentage percent proportion ratio average"
        " mean sum increase decrease between from to in of for and respective respectively year years fiscal fy company"
        " much many did which constitution over period across both nominal two three higher largest highest lowest"
        " smaller larger lower greater smallest exceed more less than ended ending end december june september march"
        " components items types kinds categories elements consist comprised listed table financial included breakdown"
        " grow grew rise rose fall fell changed spend spent pay paid earn earned make made report reported have had its"
    )
)


def operation_of(question: str) -> Operation:
    """The operation that the question asks for; LOOKUP where it names none."""
    for operation, pattern in _PATTERNS.items():
        if pattern.search(question):
            return operation
    return Operation.SHARE if _SHARE_OF.search(question) else Operation.LOOKUP


@lru_cache(maxsize=1000)  # all cells of a column have its header
def years_of(text: str) -> frozenset[int]:
    """The years that a text names: 2019, FY19, F19."""
    return frozenset([*map(int, _LONG_YEAR.findall(text)), *(2000 + int(year) for year in _SHORT_YEAR.findall(text))])


def item_terms(text: str) -> list[str]:
    """The terms that say which item is meant, each once."""
    text = _ASKING_HAN.sub(" ", _SHORT_YEAR.sub(" ", _LONG_YEAR.sub(" ", text)))
    return [term for term in dict.fromkeys(terms(text)) if term not in _ASKING and not term.isdigit()]


def pair_of(question: str) -> tuple[str, str] | None:
    """The names of the two items that a question compares or divides, in the order of the formula."""
    match = next((found for pattern in _PAIRS if (found := pattern.search(question))), None)
    return (match["a"], match["b"]) if match else None


def limit_of(question: str) -> tuple[Limit, str] | None:
    """The condition in a question, and the text of the question before it."""
    match = _LIMIT.search(question)
    if match is None:
        return None
    value = float(match["value"].replace(",", ""))
    return Limit(bool(match["above"]), value, (match["scale"] or "").lower()), question[: match.start()]


def asks_for_smallest(question: str) -> bool:
    """Whether the smallest value is asked for, not the largest."""
    return bool(_SMALLEST.search(question))


def asks_for_period(question: str) -> bool:
    """Whether "which ...?" asks for a period; else for an item."""
    thing = _THING.search(question)
    return bool(_PERIOD.search(thing["thing"] if thing else question))


def without_thing(question: str) -> str:
    """The question without the kind of thing that it asks for: "In which year was X larger?" -> "was X larger?"."""
    thing = _THING.search(question)
    return question[thing.end() :] if thing else question
