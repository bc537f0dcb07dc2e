"""What a question about figures of accounts asks for: a formula, years, an operation over them, unit and rounding.

Every word of the question must be understood, as part of the formula, a period, an instruction or a company's name;
otherwise there is no answer from here: "cloud revenue" is not revenue.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from rag.answer.metrics import wording
from rag.answer.metrics.formula import MAX_TOKENS, Binary, Kind, Name, Node, Token, parse_tokens, years_in
from rag.answer.metrics.vocabulary import FORMULA_FILLERS, Metric, Unit, Vocabulary, definitions, is_filler, written_out
from rag.answer.metrics.wording import COMPARING, OF_ONE_YEAR, Comparison, Form, Operation, Request, with_net_income

_FILLERS = frozenset(
    "the of for in its their that year years end fiscal at as from a an to amount balance unadjusted reported"
    " total company's between"
    " 的 年 , during both is and".split()
)
_OF_FORMULA = (Kind.NAME, Kind.SIGN, Kind.NUMBER, Kind.AVERAGE)
_OPEN, _CLOSED = Token(Kind.SIGN, "("), Token(Kind.SIGN, ")")
_SUM = re.compile(r"\b(?:sum of|combined|together)\b|之和", re.IGNORECASE)
_RATIO = re.compile(r"\bratio\b|比率", re.IGNORECASE)
MAX_YEARS = 12  # that a period may have
MAX_QUESTION_CHARACTERS = 1_000  # of a longer question nothing is computed


_ALLOWED = frozenset(
    "a an the of for in on at to by and or is are was were be been as with from into its it their they this that"
    " these what which how much many high low large big do does did has have had please tell me give show find"
    " calculate compute determine we you value amount amounts figure figures number total level rate ratio reported"
    " report record recorded spend spent pay paid pays out earn earned make made generate generated incur incurred"
    " hold held company company's corporation year years fiscal financial annual full end ended ending year-end close"
    " beginning balance unadjusted consolidated overall usd dollars dollar $ percent percentage % during over per"
    " between period time times basis based using approximately about exactly so then now same own each only just sum"
    " combined together roughly fast quickly post posted book booked achieve achieved see saw bring brought in"
    " collect collected realize realized disclose disclosed owe owed owes carry carried come came stand stood there"
    " any worth inc inc. corp corp. co co. ltd ltd. plc 's ' , . : ; - – — ? ! \" “ ” ( )".split()
)
_ALLOWED_HAN = re.compile(
    r"请问|比例|比重|百分比|百分点|公司|集团|股份|有限|报告期|截至|告诉我|多少|几何|什么|怎么样|如何|年度|年末|年底|财年|全年|达到|实现|金额|数额|总额|数值|总计|合计|之和|计算|人民币|美元|大约|大概|分别"
    r"|单位|结果|百分之|[请该本其的是为了在有几呢吗和与及年末度元亿万千百约共中上从到至以用？?。，,、：（）％]"
)
_HAN = re.compile(r"[一-鿿]")
_POSSESSIVE = re.compile(r"'s$|'$")


def expression_of(tokens: Sequence[Token], core: str) -> list[Token] | None:
    """The tokens from the first name to the last, joined by signs; None if they are not one formula."""
    tokens = _without_asides(tokens)
    named = [n for n, token in enumerate(tokens) if token.kind is Kind.NAME]
    if not named:
        return None
    first, last = named[0], named[-1]
    while first and tokens[first - 1] == _OPEN:
        first -= 1
    while last + 1 < len(tokens) and tokens[last + 1] == _CLOSED:
        last += 1
    inside = tokens[first : last + 1]
    if len({token.text for token in inside if token.kind is Kind.NAME}) == 1 and len(named) > 1:
        return [next(token for token in inside if token.kind is Kind.NAME)]  # the same thing said twice
    if len(named) == 2 and _RATIO.search(core):
        between = [
            token
            for token in tokens[named[0] + 1 : named[1]]
            if not is_filler(token, frozenset(("the", "total", "的")))
        ]
        if len(between) == 1 and between[0].text.lower() in ("to", "over", "与", "和", "对"):
            return [tokens[named[0]], Token(Kind.SIGN, "/"), tokens[named[1]]]
    if _SUM.search(core):
        two = len(named) == 2 and tokens[named[0] + 1 : named[1]]
        joined = bool(two) and [token.text.lower() for token in two or ()] in (["and"], ["plus"], ["和"], ["与"])
        return [tokens[named[0]], Token(Kind.SIGN, "+"), tokens[named[1]]] if joined else None
    if len(named) == 2 and any(token.kind is Kind.SHARE for token in tokens[: named[0]]):
        return [tokens[named[1]], Token(Kind.SIGN, "/"), tokens[named[0]]]
    return [token for token in inside if token.kind in _OF_FORMULA or _breaks(token)]


def _breaks(token: Token) -> bool:
    """Whether a word between two names keeps them from being one formula."""
    return token.kind is Kind.WORD and token.text.lower() not in _FILLERS - {"and", ",", "to", "for", "between"}


def _without_asides(tokens: Sequence[Token]) -> list[Token]:
    """The tokens without parentheses behind a name: another name, or a formula, which takes the name's place.

    "operating income + D&A (unadjusted EBITDA)", "asset turnover (revenue / average total assets)".
    """
    kept: list[Token] = []
    position = 0
    while position < len(tokens):
        end = next((n for n in range(position + 1, len(tokens)) if tokens[n] == _CLOSED), 0)
        inside = [token for token in tokens[position + 1 : end] if not is_filler(token, FORMULA_FILLERS)]
        if tokens[position] == _OPEN and kept and kept[-1].kind is Kind.NAME and parse_tokens(inside):
            if len(inside) > 1:
                kept[-1:] = [_OPEN, *inside, _CLOSED]
            position = end + 1
            continue
        kept.append(tokens[position])
        position += 1
    return kept


def with_unit(
    expression: Sequence[Token],
    tokens: Sequence[Token],
    core: str,
    vocabulary: Vocabulary,
    formulas: Mapping[str, Node],
    form: Form,
) -> tuple[Node | None, Unit]:
    """The formula over items, and its unit."""
    node = parse_tokens(expression)
    if node is None:
        return None, Unit.MONEY
    unit = Unit.MONEY
    if isinstance(node, Name):
        entry = vocabulary.entries.get(node.id)
        unit = entry.unit if entry else (Unit.TIMES if _divides(formulas.get(node.id)) else Unit.MONEY)
        own = formulas.get(node.id)
        if _divides(own) and (unit is Unit.MONEY or (unit is Unit.PERCENT and form.decimals is not None)):
            unit = Unit.TIMES  # "ROA is defined as: … Round to two decimals." asks for 0.07, not for 7%
    elif _divides(node):
        unit = Unit.PERCENT if re.search(r"%|percent|share|portion|占", core, re.IGNORECASE) else Unit.TIMES
    if any(token.kind is Kind.MARGIN for token in tokens):
        if unit is not Unit.MONEY:
            return None, unit
        node, unit = Binary("/", node, Name("revenue")), Unit.PERCENT
    return written_out(node, vocabulary, formulas), unit


def _divides(node: Node | None) -> bool:
    """Whether a formula divides amounts by amounts."""
    match node:
        case Binary(operator="/"):
            return True
        case Binary(operator="*" | "+" | "-", left=left, right=right):
            return _divides(left) or _divides(right)
        case _:
            return False


def name_of(expression: Sequence[Token], tokens: Sequence[Token]) -> str:
    """What is asked for, as the question words it."""
    named = next((n for n, token in enumerate(tokens) if token.kind is Kind.NAME), 0)
    if expression[0] == _OPEN and tokens[named + 1 : named + 2] == [_OPEN]:
        return tokens[named].said  # its formula stands in parentheses behind it
    margin = any(token.kind is Kind.MARGIN for token in tokens)
    return " ".join([*(token.said or token.text for token in expression), *(["margin"] if margin else [])])


def around(tokens: Sequence[Token]) -> list[Token]:
    """The tokens but for averages within a formula, which are part of it."""
    named = [n for n, token in enumerate(tokens) if token.kind is Kind.NAME]
    return [token for n, token in enumerate(tokens) if token.kind is not Kind.AVERAGE or not named[0] < n < named[-1]]


def operation_of(core: str, tokens: Sequence[Token], unit: Unit, form: wording.Form) -> tuple[Operation | None, str]:
    """The operation, None for one that is not understood; and for a yes or no, what is a yes."""
    kinds = {token.kind for token in tokens}
    is_money = unit in (Unit.MONEY, Unit.PER_SHARE)
    if wording.YES_NO.search(core):
        return _yes_or_no(core)
    if wording.CAGR.search(core):
        return Operation.CAGR, ""
    growth = Kind.GROWTH in kinds
    changed = Kind.CHANGE in kinds or bool(wording.HOW_CHANGED.search(core))
    if growth and Kind.AVERAGE in kinds:
        return None, ""
    if growth or (changed and form.percent and is_money):
        return (Operation.GROWTH if is_money or "percent" in core else Operation.CHANGE), ""
    if changed:
        return Operation.CHANGE, ""
    return (Operation.AVERAGE if Kind.AVERAGE in kinds else Operation.VALUE), ""


def comparison_of(core: str) -> Comparison:
    """Whether the question compares, and what it asks of the two; two years are compared by operations."""
    if not wording.COMPARED.search(core):
        return Comparison.NONE
    if wording.WHICH.search(core) or wording.EITHER.search(core):
        return Comparison.WHICH
    return Comparison.WHETHER if wording.YES_NO.search(core) else Comparison.DIFFERENCE


def _yes_or_no(core: str) -> tuple[Operation | None, str]:
    up, down = bool(wording.UP.search(core)), bool(wording.DOWN.search(core))
    if wording.HEALTHY.search(core):
        return Operation.HEALTH, ""
    if wording.POSITIVE.search(core) or wording.NEGATIVE.search(core):
        return Operation.SIGN, "up" if wording.POSITIVE.search(core) else "down"
    if up or down:
        return Operation.DIRECTION, "" if up and down else "up" if up else "down"
    return None, ""


def years_of(
    tokens: Sequence[Token], core: str, operation: Operation | None, node: Node
) -> tuple[Operation | None, tuple[int, ...] | None]:
    """The operation, SERIES for a value of several years, and the years asked for, ascending; None for too many."""
    said = [token for token in tokens if token.kind is Kind.YEARS]
    found = sorted({year for token in said for year in token.years})
    if len(found) == 1 and operation is not Operation.VALUE and wording.SINCE.search(core):
        return operation, None  # the year it is compared with is not named
    spanned = wording.SPAN.search(core)
    count = _count(spanned[1] or spanned[2]) if spanned else 0
    if operation is Operation.AVERAGE:
        if len(found) == 1 and count > 1:
            found = list(range(found[0] - count + 1, found[0] + 1))
        elif len(found) == 2 and (count > 2 or any(token.text == "range" for token in said)):
            found = list(range(found[0], found[1] + 1))
        elif len(found) == 1:
            found = [found[0] - 1, found[0]]
    elif operation in (Operation.GROWTH, Operation.CAGR, Operation.CHANGE, Operation.DIRECTION) and len(found) == 1:
        before = count if operation is Operation.CAGR and count > 1 else 1
        found = [found[0] - before, found[0]]
    elif operation is Operation.VALUE and len(found) > 1 and not years_in(node):
        operation = Operation.SERIES
        if any(token.text == "range" for token in said):
            found = list(range(found[0], found[-1] + 1))
    elif operation in OF_ONE_YEAR:
        found = (found or sorted(years_in(node)))[-1:]
    return operation, tuple(found) if len(found) <= MAX_YEARS else None


def _count(word: str) -> int:
    words = {"two": 2, "three": 3, "four": 4, "five": 5, "两": 2, "二": 2, "三": 3, "四": 4, "五": 5}
    return words.get(word.lower()) or (int(word) if word.isdigit() and len(word) < 3 else 0)


def understand(question: str, vocabulary: Vocabulary) -> Request | None:
    """What is asked for; None unless the question is clearly about one figure of accounts."""
    if len(question) > MAX_QUESTION_CHARACTERS or wording.OTHER_SCOPE.search(question):
        return None
    question = with_net_income(question)
    form = wording.form_of(question)
    found = definitions(wording.without_form(question), vocabulary)
    if found is None:
        return None
    text, own_names, formulas = found
    asked = _core(text, vocabulary, own_names)
    if asked is None:
        return None
    core, before = asked[1], list(wording.pieces(asked[0], vocabulary, own_names))
    tokens = list(wording.pieces(core, vocabulary, own_names))
    expression = expression_of(tokens, core) if len(tokens) <= MAX_TOKENS else None
    if expression is None:
        return None
    node, unit = with_unit(expression, tokens, core, vocabulary, formulas, form)
    if node is None:
        return None
    comparison = comparison_of(core)
    operation, wants = operation_of(core, around(tokens), unit, form)
    if comparison is Comparison.WHICH or (operation is None and comparison is not Comparison.NONE):
        operation, wants = Operation.VALUE, "down" if wording.DOWN.search(core) else "up"
    # What is said before the question counts as well: "In 2021, what was …", "Northwind: what was …".
    said_before = [token for token in before if token.kind is Kind.YEARS or _may_be_name(token)]
    said = [*(token for token in said_before if token.kind is Kind.YEARS), *tokens]
    operation, years = years_of(said, core, operation, node)
    compares = comparison is not Comparison.NONE or operation in COMPARING
    company = _company(tokens, compares=compares)
    if not company and company is not None:
        company = _company([token for token in said_before if token.kind is Kind.WORD], compares=False)
    if years is None or company is None or operation is None:
        return None
    entry = vocabulary.entries.get(expression[0].text) if len(expression) == 1 else None
    healthy = entry.healthy if isinstance(entry, Metric) else None
    if operation is Operation.HEALTH and healthy is None:
        return None
    return Request(
        node,
        name_of(expression, tokens),
        operation,
        years,
        _unit(unit, operation, form),
        form,
        company,
        healthy,
        comparison,
        bool(wording.EARLY_DATE.search(question)),
        wants,
    )


# ---- the clause that asks


def _core(text: str, vocabulary: Vocabulary, own_names: Mapping[str, str]) -> tuple[str, str] | None:
    """What stands before the clause that asks for the figure, and the clause; None for none, or for two questions."""
    sentences: list[tuple[str, bool]] = []
    start = 0
    for match in wording.SENTENCE_END.finditer(text):
        sentences.append((text[start : match.start()].strip(), match[0] in "?？"))
        start = match.end()
    sentences.append((text[start:].strip(), False))
    naming = [
        (sentence, asks)
        for sentence, asks in sentences
        if any(token.kind is Kind.NAME for token in wording.pieces(sentence, vocabulary, own_names))
    ]
    questions = [sentence for sentence, asks in sentences if asks]
    if len(questions) > 1 or not naming:
        return None
    core = questions[0] if questions else naming[0][0]
    asked = list(wording.ASKS.finditer(core))
    start = asked[-1].end() if asked else 0
    return core[:start], core[start:]


def _may_be_name(token: Token) -> bool:
    """Whether a word may be a company's name: it has a capital letter, or is Chinese."""
    return token.kind is Kind.WORD and (token.text[:1].isupper() or token.text[:1].isdigit())


def _unit(unit: Unit, operation: Operation, form: wording.Form) -> Unit:
    """The unit of the answer."""
    if operation in (Operation.GROWTH, Operation.CAGR):
        return Unit.PERCENT
    if unit is Unit.TIMES and form.percent:
        return Unit.PERCENT
    return unit


def _without_data(tokens: Sequence[Token]) -> Sequence[Token]:
    """The tokens without the last one of "based on FY2022 data"."""
    return tokens[:-1] if tokens and tokens[-1].text.lower() == "data" else tokens


def _company(tokens: Sequence[Token], *, compares: bool) -> tuple[str, ...] | None:
    """The words that nothing else explains; None if one of them is a number."""
    words: list[str] = []
    han = ""
    for token in _without_data(tokens):
        word = token.text
        if token.kind is Kind.NUMBER:
            return None
        if token.kind is not Kind.WORD:
            han += " "
            continue
        if _HAN.match(word):
            han += word
            continue
        word = _POSSESSIVE.sub("", word)
        explained = compares and (wording.VERB.fullmatch(word) or wording.COMPARING_WORD.fullmatch(word))
        if word.lower() in _ALLOWED or explained:
            continue
        words.append(word)
    for run in (wording.VERB.sub("", han) if compares else han).split():
        words += _ALLOWED_HAN.sub(" ", run).split()
    return tuple(word for word in words if any(character.isalnum() for character in word))
