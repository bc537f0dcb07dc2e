"""The words of questions about accounts: units, rounding, years, operations, earnings, and how only to answer.

Regular expressions in English and Chinese, and the pieces they cut a question into.
What a question asks, once it is understood, is a `Request`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from rag.answer.claims.dates import FULL_MONTH
from rag.answer.metrics.formula import Kind, Node, Token
from rag.answer.metrics.vocabulary import Unit, Vocabulary

_MAX_CHARACTERS: Final = 500  # of a question, that are searched
_EARNED: Final = re.compile(
    r"\bhow much (?:money |profit |in profits? )?(?:did|does|has|have) (?P<who>[^?,;]{1,120}?)"
    r" (?:earn(?:ed)?|los[et]|(?:made?|turn) (?:a|in|as) (?:net )?(?:profit|loss))"
    r"(?=\W*$|,? (?:in|for|during|over|at) (?:the )?(?:fiscal|financial|calendar|full|whole|years?|FY|\d))",
    re.IGNORECASE,
)
_EARNED_HAN: Final = re.compile(
    r"的?(?:一共|总共|共|大概|大约)?(?:赚|挣|盈利|亏损|亏)[到了得]{0,2}(?:多少|几)[万亿]?[元钱]?(?!个百分点)|的?净?亏损额?(?:是|为|有)多少"
)
_CURRENCY = r"(?:usd|us\$|(?:us |u\.s\. )?dollars?|\$|eur|euros?|€|gbp|£|rmb|cny|hkd|jpy)"
_UNIT = re.compile(
    rf"[(,]?\s*(?:give |express(?:ed)? |state |report |answer |provide )?(?:the |your )?(?:answer |value "
    rf"|result )?\b(?:in|as)\s+"
    rf"(?:(?:a |the )?units? of )?(?:a )?"
    rf"(?:{_CURRENCY}(?: in)?\s*(?P<scale>thousands?|millions?|billions?)?|(?P<scale2>thousands?|millions?"
    rf"|billions?)(?: of)?(?:\s*{_CURRENCY})?"
    rf"|(?P<percent>percents?(?:ages?)?(?: points?| terms)?|%))\s*[)]?(?!\s*(?:of|change|growth)\b)(?=[\s.,;:?)]|$)",
    re.IGNORECASE,
)
_UNIT_HAN = re.compile(
    r"[(（]?(?:以|用|按|单位[:：为是]?|多少|几)(?P<scale>十亿|百万|千|亿|万)?(?:美元|元|人民币|港元|欧元)(?:为单位|计|表示)?[)）]?"
)
_HAN_SCALES = {"十亿": "billion", "百万": "million", "千": "thousand", "亿": "hundred million", "万": "ten thousand"}
_DIGITS = {
    "zero": 0,
    "no": 0,
    "one": 1,
    "two": 2,
    "three": 3,
    "four": 4,
    "零": 0,
    "一": 1,
    "两": 2,
    "二": 2,
    "三": 3,
    "四": 4,
}
_DECIMALS = re.compile(
    r"\b(?P<count>zero|no|one|two|three|four|\d) (?:decimals?|digits? after)|(?P<hundredth>nearest hundredth)"
    r"|(?P<tenth>nearest (?:tenth|0\.1))"
    r"|nearest (?:whole|integer|percent|dollar|day)|nearest (?P<scale>thousand|million|billion)"
    r"|(?P<han>[零一两二三四\d])位小数|取整|保留整数",
    re.IGNORECASE,
)
_ROUNDING = re.compile(
    r"[(,]?\s*(?:\band )?(?:\bplease )?\b(?:round(?:ed|ing)?|to (?:the )?nearest|(?:to"
    r"|with) \w+ decimals?)\b[^.?!;()]{0,60}[)]?"
    r"|[(（,，]?(?:请)?(?:结果)?(?:保留|四舍五入|取|精确到)[^。？?]{0,12}(?:小数|整数)[)）]?|，?百分数?表示",
    re.IGNORECASE,
)
_STATEMENT = (
    r"(?:(?:consolidated |the |its |their |company's )*(?:statements? of (?:consolidated )?(?:income|operations"
    r"|earnings|cash ?flows?"
    r"|financial position|comprehensive income)|income statements?|cash ?flows? statements?|balance sheets?"
    r"|p ?& ?l(?: statements?)?"
    r"|profit (?:and|&) loss(?: statements?)?|financial statements?|annual reports?|10-?k(?: filing)?))"
)
_NOISE = re.compile(
    rf"(?:\b(?:and|or|from|in|on|within|of|per|according to|based on)\s+){{0,2}}\b{_STATEMENT}|\b(?:formerly"
    rf"|previously) known as \w+"
    r"|\bin (?:number of )?days\b|\b(?:tell|give|show) us\b"
    r"|(?:合并)?(?:资产负债表|利润表|现金流量表|年报|年度报告)(?:中|里|上)?(?:显示)?的?",
    re.IGNORECASE,
)
_ON_BALANCE_SHEET = re.compile(r"\bon (?:the |its )?balance sheet\b", re.IGNORECASE)
# "How much cash did Northwind generate from operating activities": the item is named in two pieces.
_CASH_FROM = re.compile(
    r"(?:net )?cash (?:did|was|does|has) (?P<who>.{1,60}?) (?:generated?|provided?|used?|produced?|spent"
    r"|spend) (?:from|by|in|for|on|through)"
    r" (?:its )?(?P<what>operating activities|operations|investing activities|financing activities)",
    re.IGNORECASE,
)
_ASIDE = re.compile(
    r"\[[^\[\]]*\]|\((?:(?:from|using|per|as|in|based|i\.e\.?|e\.g\.?|formerly|ticker|nyse|nasdaq)\b[^()]*"
    r"|[A-Z&/]{2,8}|or \w+)\)"
    r"|,\s*using [^,?.]{2,80}(?=\?|$)"
)
_ONE_YEAR = (
    r"(?:\b(?:FY|CY)\s?'?|\b(?:in |for |of |at |as of )?(?:the )?(?:fiscal|financial|calendar)(?: years?)? "
    r"|\byears? )?"
    r"(?<![\d,.$])(?:(?:19|20)\d\d|(?<=FY)\d\d|(?<=FY )\d\d|(?<=FY')\d\d)(?![\d]|,\d|\.\d|\s?%)"
    r"(?:财年|年度|年末|年底|年)?"
)
_YEARS = re.compile(
    rf"{_ONE_YEAR}(?:\s*(?:-|–|—|to|through|and|&|,|vs\.?|versus|至|到|和|与|、)(?: and)?\s*{_ONE_YEAR})*",
    re.IGNORECASE,
)
_YEAR = re.compile(r"(?<!\d)(?:19|20)\d\d(?!\d)|(?<=FY)\d\d\b|(?<=FY )\d\d\b|(?<=FY')\d\d\b", re.IGNORECASE)
_MONTH = f"(?:{FULL_MONTH})"
_DATE = re.compile(
    rf"\b{_MONTH} \d{{1,2}},? (?=(?:19|20)\d\d)|\b\d{{1,2}} {_MONTH},? (?=(?:19|20)\d\d)"
    r"|(?<=年)\d{1,2}月\d{1,2}日|(?<=年)\d{1,2}月末?",
    re.IGNORECASE,
)
EARLY_DATE = re.compile(r"\b(?:January|February) \d{1,2},? (?:19|20)\d\d", re.IGNORECASE)
_RANGE = re.compile(r"-|–|—|\bto\b|\bthrough\b|至|到", re.IGNORECASE)

# What is done with the values; each pattern finds where it is said.
GROWTH = re.compile(
    r"(?:\b(?:year[- ](?:over|on)[- ]year|yoy|y/y|annual) )?(?:\b(?:percent(?:age)? |% ))?\bgrowth(?: rate"
    r"| percentage)?(?: of\b| in\b)?"
    r"|\b(?:year[- ](?:over|on)[- ]year|yoy|y/y) (?:percent(?:age)? |% )?(?:change|increase|decrease"
    r"|decline)(?: of\b| in\b)?"
    r"|\b(?:percent(?:age)?|%) (?:change|increase|decrease|decline)(?: of\b| in\b)?|\brate of (?:growth"
    r"|change)(?: of\b| in\b)?"
    r"|\bby (?:what|how many|how much) (?:percent(?:age)?|%)"
    r"|\bhow (?:fast|quickly)(?= did| has| have)"
    r"|同比增长率?|同比变动率?|增长率|[增减]长?少?了?百分之[几多]少?|同比(?:增加|下降"
    r"|减少)|增幅|降幅",
    re.IGNORECASE,
)
CAGR = re.compile(
    r"\b(?:(?:\d+|two|three|four|five)[- ]years? )?(?:total )?(?:cagr"
    r"|compound(?:ed)? annual growth(?: rate)?)\b(?: of\b| in\b)?|年?均?复合增长率",
    re.IGNORECASE,
)
CHANGE = re.compile(
    r"\b(?:the )?(?:change|difference|increase|decrease|decline)s? (?:in|of)\b"
    r"|(?:增加|减少|增长|下降|变动|变化|提高|提升|上升|降低)了?多少(?:个百分点)?|[多少高低]了?多少(?:个百分点)?",
    re.IGNORECASE,
)
AVERAGE = re.compile(
    r"\b(?:the )?(?:(?:\d+|two|three|four|five)[- ]years? )?(?:average|mean)\b(?: of\b)?|(?:[两二三四五\d]年)?平均值?",
    re.IGNORECASE,
)
SPAN = re.compile(
    r"\b(\d{1,2}|two|three|four|five)[- ]years?(?: period)?\b|([两二三四五\d])年(?=期|平均|年?均?复合)", re.IGNORECASE
)
SHARE = re.compile(
    r"\b(?:what |which )?(?:share|percent(?:age)?|proportion|portion|fraction|%) of(?: the| its| their)?\b",
    re.IGNORECASE,
)
MARGIN = re.compile(r"(?:\(?%\)?|percent(?:age)?)? ?margins?\b", re.IGNORECASE)
HOW_CHANGED = re.compile(
    r"\b(?:how much|how|what)\b.{0,20}\b(?:did|has|have|does)\b.{0,150}\b(?:chang(?:e|ed)|increased?|decreased?"
    r"|grow|grown|rise|risen|fall|fallen"
    r"|declined?|drop(?:ped)?|compare)\b",
    re.IGNORECASE,
)
VERB = re.compile(
    r"(?:(?:chang|increas|decreas|improv|declin|compar)(?:ed?|ing)|gr(?:ow|ew|own|owing)|ris(?:e|en|ing)|rose"
    r"|fall(?:en)?|fell|drop(?:ped)?"
    r"|worsen(?:ed|ing)?|deteriorat(?:ed?|ing)|higher|lower|profile|positive|negative|healthy|sound|strong"
    r"|adequate|sufficient|reasonably|liquidity)\b|增加|减少|增长|下降|提高|改善|上升|变动|变化|同比|恶化|相差|差额|更?[高低大小]|[比较]",
    re.IGNORECASE,
)
UP = re.compile(
    r"\b(?:improv\w+|increas\w+|gr(?:ow|ew|own|owing)|ris(?:e|en|ing)|rose|higher)\b|提高|改善|上升|增[加长]",
    re.IGNORECASE,
)
DOWN = re.compile(
    r"\b(?:declin\w+|decreas\w+|fall(?:en)?|fell|drop\w*|worsen\w*|deteriorat\w+|lower)\b|下降|减少|恶化|降低",
    re.IGNORECASE,
)
COMPARED = re.compile(
    r"\b(?:higher|lower|larger|smaller|greater|bigger|than|difference|exceed(?:ed|s)?|versus|vs|compare[ds]?)\b"
    r"|相差|差额|更[高大多低小少]|[高低]多少|高出|多出|(?<![同环占])比(?![率例重较])",
    re.IGNORECASE,
)
COMPARING_WORD = re.compile(
    r"higher|lower|larger|smaller|greater|bigger|more|fewer|than|difference|exceed(?:ed|s)?|versus|vs|compare[ds]?",
    re.IGNORECASE,
)
EITHER = re.compile(  # "did A or B have more?" asks for a name
    r"^(?:did|does|do|is|was|were|are|has|have|had)\b(?!.*\bthan\b).*\bor\b(?! not\b)|还是", re.IGNORECASE
)
WHICH = re.compile(r"^(?:which|who|whose)\b|哪[家个]公司|哪一?家", re.IGNORECASE)
HEALTHY = re.compile(r"\b(?:healthy|sound|strong|adequate|sufficient)\b|健康|稳健|良好", re.IGNORECASE)
POSITIVE = re.compile(r"\b(?:positive|profitable)\b|盈利|为正|是正", re.IGNORECASE)
SINCE = re.compile(
    r"\b(?:from|since) (?:the )?(?:FY|fiscal(?: year)? )?\s?(?:19|20)\d\d|自.{0,6}(?:19|20)\d\d", re.IGNORECASE
)
NEGATIVE = re.compile(r"\bnegative\b|为负|是负", re.IGNORECASE)
YES_NO = re.compile(r"^(?:is|are|was|were|does|do|did|has|have)\b|是否|有没有|吗[？?]?$", re.IGNORECASE)
ASKS = re.compile(
    r"(?:^|[,:;，：] ?|\bquestion[:,]? )(?=(?:what|how|which|by (?:what|how)|did|does|do|is|are|has|have|was|were"
    r"|calculate|compute|determine|give|tell|find)\b)",
    re.IGNORECASE,
)
OTHER_SCOPE = re.compile(
    r"\bq[1-4]\b|\b(?:quarter|month|half[- ]year|segment|guidance|forecast|outlook|expect|project|estimate"
    r"|budget|weeks?\b)|季度|半年|分部|预[计测]|上半年|下半年",
    re.IGNORECASE,
)
SENTENCE_END = re.compile(r"(?<!\bInc)(?<!\bCorp)(?<!\bCo)(?<!\bLtd)(?<!\bU\.S)(?<!\bvs)[.?!;](?=\s|$)|[。？！；\n]")

# Signs between two items, in a formula or a question.
_SIGNS = (
    (
        "/",
        r"(?:\bexpressed )?\bas a (?:%|percent|percentage|share|proportion|fraction|multiple) of\b|\bdivided by\b"
        r"|\brelative to\b|/|÷|除以|占(?=[^，。？?]{1,40}的?(?:百分|比例|比重|多少))",
    ),
    ("+", r"\bplus\b|\+|加上"),
    ("-", r"\bless\b|\bminus\b|-|−|–|减去?"),
    ("*", r"\bmultiplied by\b|\*|×|乘以"),
    ("(", r"\(|（"),
    (")", r"\)|）"),
)
_SIGN = re.compile("|".join(f"(?P<s{n}>{pattern})" for n, (_, pattern) in enumerate(_SIGNS)), re.IGNORECASE)
_NUMBER = re.compile(r"\d+(?:\.\d+)?(?![\w,]|\.\d)")
_LETTER = r"[^\W_一-鿿]"  # or digit; between Chinese characters there are no words
_WORD = re.compile(rf"{_LETTER}(?:{_LETTER}|[&.'-])*{_LETTER}|\S")


_OTHERS = (
    (Kind.AVERAGE, AVERAGE),
    (Kind.CHANGE, CHANGE),
    (Kind.SHARE, SHARE),
    (Kind.SPAN, SPAN),
    (Kind.MARGIN, MARGIN),
)


class Operation(StrEnum):
    """What is done with the values of the years asked for."""

    VALUE = "value"
    SERIES = "series"  # a value for each year
    AVERAGE = "average"
    GROWTH = "growth"  # in percent, from the first year to the last
    CAGR = "cagr"  # compound annual growth rate, in percent
    CHANGE = "change"
    DIRECTION = "direction"  # whether it rose or fell: yes or no
    SIGN = "sign"  # whether it is positive or negative: yes or no
    HEALTH = "health"  # whether it is at a level that textbooks call healthy: yes or no


class Comparison(StrEnum):
    """What is asked of the figures of two companies."""

    NONE = "none"
    DIFFERENCE = "difference"
    WHICH = "which"  # the company with the higher or lower one
    WHETHER = "whether"  # whether the first is higher or lower: yes or no


OF_ONE_YEAR = (Operation.VALUE, Operation.SIGN, Operation.HEALTH)
COMPARING = (Operation.CHANGE, Operation.GROWTH, Operation.DIRECTION, Operation.SIGN, Operation.HEALTH)


@dataclass(frozen=True, slots=True)
class Request:
    """A question, understood."""

    formula: Node
    name: str  # of what is asked for, as the question words it
    operation: Operation
    years: tuple[int, ...]  # ascending; () for the newest
    unit: Unit
    form: Form
    company: tuple[str, ...]  # words that nothing else explains: the name of the company
    healthy: tuple[float, float] | None = None  # HEALTH: see `Metric`
    comparison: Comparison = Comparison.NONE
    ends_early: bool = False  # the years are those that a date in January or February names
    wants: str = ""  # DIRECTION and SIGN: "up" or "down" for what is a yes; "" if either word is the answer


def with_net_income(question: str) -> str:
    """The question with "net income" where it asks what somebody earned or lost; otherwise unchanged."""
    if len(question) > _MAX_CHARACTERS:
        return question
    named = _EARNED_HAN.sub("的净利润是多少", question, count=1)
    return _EARNED.sub(lambda found: f"what was the net income of {found['who']}", named, count=1)


@dataclass(frozen=True, slots=True)
class Form:
    """How the answer is to be written."""

    scale: str | None  # "thousand", "million", ...; None if nothing is said
    percent: bool
    decimals: int | None  # None if nothing is said


def form_of(question: str) -> Form:
    """Unit and rounding that a question asks for."""
    units = list(_UNIT.finditer(question))
    scale = next((found.lower().rstrip("s") for match in units if (found := match["scale"] or match["scale2"])), None)
    if han := _UNIT_HAN.search(question):
        scale = _HAN_SCALES.get(han["scale"], scale)
    percent = any(match["percent"] for match in units) or bool(re.search(r"\(%\)|百分[之比数]", question))
    match = _DECIMALS.search(question)
    if match is None:
        return Form(scale, percent, None)
    if word := match["count"] or match["han"]:
        return Form(scale, percent, int(word) if word.isdigit() else _DIGITS[word.lower()])
    decimals = 2 if match["hundredth"] else 1 if match["tenth"] else 0
    return Form(scale or (match["scale"] or "").lower() or None, percent, decimals)


def without_form(question: str) -> str:
    """A question without what says how to answer: units, rounding, where to look."""
    text = " ".join(question.replace("’", "'").split())
    text = re.sub(r"(?<=\w)-to-(?=\w)", " to ", text)
    text = _CASH_FROM.sub(r"\g<who> cash from \g<what>", text)
    for pattern in (_ASIDE, _UNIT, _UNIT_HAN, _ROUNDING, _ON_BALANCE_SHEET, _NOISE, _DATE):
        text = pattern.sub(" ", text)
    return " ".join(text.split())


def pieces(text: str, vocabulary: Vocabulary, own_names: Mapping[str, str]) -> Iterator[Token]:
    """A text cut into names, years, signs, operations and other words; `own_names`: further names, to their ids."""
    position = 0
    while position < len(text):
        if text[position].isspace():
            position += 1
            continue
        token, position = _piece(text, position, vocabulary, own_names)
        yield token


def _piece(text: str, start: int, vocabulary: Vocabulary, own_names: Mapping[str, str]) -> tuple[Token, int]:
    """The token that begins at `start`, and where it ends: the first kind that matches."""
    for name, id_ in own_names.items():
        if text[start : start + len(name)].lower() == name:
            return Token(Kind.NAME, id_, said=name), start + len(name)
    if match := _YEARS.match(text, start):
        found = [int(year) if len(year) == 4 else 2000 + int(year) for year in _YEAR.findall(match[0])]
        return Token(Kind.YEARS, "range" if _RANGE.search(match[0]) else "", years=tuple(found)), match.end()
    if match := CAGR.match(text, start) or GROWTH.match(text, start):
        return Token(Kind.GROWTH, match[0]), match.end()
    if named := vocabulary.name_at(text, start):
        return Token(Kind.NAME, named[0], said=text[start : named[1]]), named[1]
    return _other_piece(text, start)


def _other_piece(text: str, start: int) -> tuple[Token, int]:
    for kind, pattern in _OTHERS:
        if match := pattern.match(text, start):
            return Token(kind, match[0]), match.end()
    if match := _SIGN.match(text, start):
        return Token(Kind.SIGN, _SIGNS[int((match.lastgroup or "s0")[1:])][0]), match.end()
    if match := _NUMBER.match(text, start):
        return Token(Kind.NUMBER, match[0], value=float(match[0])), match.end()
    word = _WORD.match(text, start)
    end = word.end() if word else start + 1
    return Token(Kind.WORD, text[start:end]), end
