"""Whether quotes are about what a question asks, if no short answer was found in them."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from typing import Final

from rag.answer.claims.lexicon import has_synonym
from rag.answer.figures.question import Operation, operation_of
from rag.answer.phrases.causes import moves
from rag.answer.phrases.counted import asks_how_many, holds_count, is_of_other_years
from rag.answer.phrases.fit import is_no_answer, suits
from rag.answer.phrases.kind import Kind, content, kind_of
from rag.answer.phrases.limits import lacks_verb
from rag.answer.phrases.offices import NAME, asks_for_office, is_name
from rag.answer.phrases.yes_no import holds, opposite
from rag.index.tokenize import terms
from rag.language import mainly_chinese
from rag.reader import Evidence

MIN_SHARE: Final = 0.75  # share of a yes/no question's topic that a sentence which may answer it must contain
_RELATED: Final = 0.5  # of the best quote's share, below which another is left out
_QUANTITIES: Final = frozenset({Kind.NUMBER, Kind.MONEY, Kind.PERCENT, Kind.DURATION, Kind.DATE})
_CODES: Final = re.compile(r"\b[A-Za-z]\w{0,40}\d\w{0,10}")
_DIGITS: Final = re.compile(r"(?<![\w.])\d")
_LENGTH: Final = re.compile(  # of time, or of a thing: "How long is the bridge?"
    r"\b(?:years?|months?|weeks?|days?|nights?|hours?|minutes?|seconds?|decades?|century|centuries|annual|permanent"
    r"|life|lifelong|until|since|through|forever|met(?:re|er)s?|kilomet(?:re|er)s?|miles?|feet|foot|inch(?:es)?|yards?|[kcm]m|m)\b"
    r"|[年月周天日时分秒米里]|(?:1[5-9]|20)\d\d\b.{1,40}\b(?:1[5-9]|20)\d\d\b",
    re.IGNORECASE,
)
_TOPIC_HAN: Final = re.compile(
    r"(?<!目)的(?P<topic>(?!原因|目的|作用|意思|结果|含义|名字|地方|时候|人)[\u4e00-\u9fff]{2,8}?)(?:分别)?(?:是|有|为|在|叫)?(?:多少|什么|谁|哪|几|怎|如何|多[大高长远重])"
)
_ASKED_NOUN: Final = re.compile(
    r"^\W*(?:(?:in|at|for|on|of|by|to) )?(?:what|which) "
    r"(?P<which>(?!(?:is|are|was|were|do|did|does|has|have|had)\b)[a-z]{3,30})"
    r" (?:is|are|was|were|does|do|did|has|have|had|can|could|will|would|should|may|might|must)\b"
    r"|^\W*what (?:is|was|are|were) (?:the|its|their) (?P<what>[a-z]{3,30}) (?:of|for|in|at|to)\b",
    re.IGNORECASE,
)
# Nouns that say what kind of answer is wanted; a sentence with the answer seldom repeats them.
_ANY_NOUN: Final = frozenset(
    "kind kinds type types sort sorts thing things person people place places year years month day date time century"
    " city country state word name names term terms part parts way ways reason reasons number amount percentage role"
    " purpose result effect meaning difference example group position company organization event area region".split()
)
_NAME: Final = re.compile(NAME)
_ONE_NAME: Final = re.compile(r"\b(?:Mr|Ms|Mrs|Dr|Sir|Lord|King|Queen|President|Professor)\.? [A-Z]|/s/")
_ASKS_WHY: Final = re.compile(
    r"\b(?:why|what|which|how come|caused?|causes|reasons?|did|does|do|has|have|is|are|was|were|been|being)\b",
    re.IGNORECASE,
)
_PAST_FORMS: Final = dict(
    pair.split("/")
    for pair in (
        "paid/pay made/make sold/sell bought/buy grew/grow rose/rise fell/fall held/hold built/build lost/lose won/win"
        " began/begin spent/spend became/become chose/choose left/leave met/meet gave/give took/take"
    ).split()
)
_SURROUNDING: Final = frozenset(
    term
    for word in "company firm group corporation document report any ever still yet also".split()
    for term in terms(word)
)


def without_headings(question: str, evidence: Sequence[Evidence]) -> Sequence[Evidence]:
    """The evidence without headings, announcements and signatures, unless there is nothing else."""
    return [found for found in evidence if not is_no_answer(found.text, question)] or evidence


def on_topic(
    question: str, quoted: Sequence[Evidence], names: Collection[str] = ()
) -> tuple[bool, tuple[Evidence, ...]]:
    """Whether any of the quotes may answer, and those that are about the same thing.

    A sentence without a name does not say who, one without a number does not say how many, and one without the
    question's topic says neither why nor whether. All other quotes pass. In Chinese, words cannot be compared like
    that: a quote needs a part of the noun asked for, such as 股票代码 of a company. A quote in another language than
    the question was found only by its vector, which does not tell whether it answers. `names`: terms of the question
    that name its document.
    """
    kind = kind_of(question)
    if kind in _QUANTITIES and not any(_holds_quantity(kind, found.text) for found in quoted):
        return False, tuple(quoted)
    office = asks_for_office(question)
    if office is not None and not any(office.search(one.text) for one in quoted):
        return False, tuple(quoted)
    chinese = [mainly_chinese(one.text) for one in quoted]
    if mainly_chinese(question) or any(chinese):
        return mainly_chinese(question) in chinese and _holds_topic(question, quoted), tuple(quoted)
    if kind is Kind.PERSON:
        named = any(_names_somebody(question, found.text) for found in quoted)
        return named and not all(lacks_verb(question, found.text) for found in quoted), tuple(quoted)
    if kind is Kind.NUMBER and asks_how_many(question):
        told = [one for one in quoted if holds_count(question, one.text) and not is_of_other_years(question, one.text)]
        return bool(told), tuple(quoted)
    # A rise's cause and a table's largest value would have been short answers, so no sentence gives them.
    if (kind is Kind.WHY and moves(question)) or operation_of(question) is Operation.WHICH:
        return False, tuple(quoted)
    if kind not in (Kind.YES_NO, Kind.WHY):
        return _holds_noun(question, quoted), tuple(quoted)
    about = set(terms(_ASKS_WHY.sub(" ", content(question)))) - _SURROUNDING - set(names)
    shares = [_share(about, found.text) for found in quoted]
    best = max(shares, default=0.0)
    kept = tuple(found for found, share in zip(quoted, shares, strict=True) if share >= _RELATED * best)
    return best >= MIN_SHARE, kept


def _holds_topic(question: str, quoted: Sequence[Evidence]) -> bool:
    """Whether any quote has a part of the noun that a Chinese question asks about: 房东的电话号码是多少."""
    asked = _TOPIC_HAN.search(question)
    return asked is None or any(pair in one.text for pair in terms(asked["topic"]) for one in quoted)


def _holds_noun(question: str, quoted: Sequence[Evidence]) -> bool:
    """Whether any quote has the noun that is asked for, in any form, or a synonym."""
    asked = _ASKED_NOUN.search(question)
    noun = (asked["which"] or asked["what"]).lower() if asked else ""
    if not noun or noun in _ANY_NOUN:
        return True
    held = set(terms(" ".join(one.text for one in quoted)))
    return any(holds(held, one) for one in terms(noun)) or has_synonym(noun, held)


def _names_somebody(question: str, text: str) -> bool:
    if _ONE_NAME.search(text):
        return True
    asked = set(terms(question))
    return any(is_name(name) and asked.isdisjoint(terms(name)) for name in _NAME.findall(text))


def _holds_quantity(kind: Kind, text: str) -> bool:
    """Whether a text has a quantity of this kind; a digit in a name, as in "Libtasn1", is not one."""
    if kind is Kind.DURATION:
        return _LENGTH.search(text) is not None
    return _DIGITS.search(text) is not None or suits(kind, _CODES.sub(" ", text)) == 1.0


def _share(asked: Collection[str], text: str) -> float:
    """The share of the terms that a text has, in any form, or the opposite of."""
    held = set(terms(text))
    held |= {_PAST_FORMS[term] for term in held & _PAST_FORMS.keys()}
    return sum(bool(holds(held, term) or opposite(held, term)) for term in asked) / len(asked) if asked else 1.0
