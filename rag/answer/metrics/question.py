"""What a question about figures of accounts asks for: a formula, years, an operation over them, unit and rounding.

Every word of the question must be understood, as part of the formula, a period, an instruction or the name of a
company; otherwise nothing is asked for here: "cloud revenue" is not revenue.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from rag.answer.earnings import with_net_income
from rag.answer.metrics import wording
from rag.answer.metrics.definitions import definitions
from rag.answer.metrics.expression import expression_of, name_of, with_unit
from rag.answer.metrics.formula import MAX_TOKENS, Kind, Token
from rag.answer.metrics.operations import around, comparison_of, operation_of, years_of
from rag.answer.metrics.request import COMPARING, Comparison, Operation, Request
from rag.answer.metrics.vocabulary import Metric, Unit, Vocabulary

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


def understand(question: str, vocabulary: Vocabulary) -> Request | None:
    """What is asked for; None if the question is not, beyond doubt, about one figure of accounts."""
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
