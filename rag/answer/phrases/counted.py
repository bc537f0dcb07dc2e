"""Whether a number in a sentence counts what a question asks about, and is for its year."""

from __future__ import annotations

import re
from typing import Final

from rag.answer.claims.dates import MONTH, YEAR
from rag.answer.nouns import is_noun
from rag.index.tokenize import terms

_HOW_MANY: Final = re.compile(r"\bhow many\b|(?:多少|几)[个名位次家件种台票股](?!百分点)", re.IGNORECASE)
_HOW_MANY_THINGS: Final = re.compile(r"\bhow many (?P<things>[^,?]{2,80})", re.IGNORECASE)
_THINGS_END: Final = re.compile(
    r"\b(?:did|does|do|is|are|was|were|has|have|had|will|would|can|could|may|must|should|that|who|which|in|at|on|for|from"
    r"|there|\w+ed|work|live|make|take)\b.*",
    re.IGNORECASE,
)
_NUMBER: Final = re.compile(
    r"(?<![\w.,])(?:\d[\d,.]*\d|\d)(?![\d%])(?: (?:million|billion|thousand|hundred))?"
    r"|\b(?:one|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|twenty|thirty|forty|fifty|hundred)\b",
    re.IGNORECASE,
)
_DAY: Final = re.compile(rf"\b{MONTH}\.? \d{{1,2}}\b", re.IGNORECASE)
_COUNT: Final = re.compile(
    r"\d|\b(?:one|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|\w+teen|\w+ty|dozens?|hundreds?|thousands?"
    r"|millions?|billions?|several|many|few|no|none|zero|half|both|single|once|twice|thrice|third|pairs?|couple)\b"
    r"|[零一二三四五六七八九十百千万亿两半几数无]",
    re.IGNORECASE,
)
_COUNTED: Final = re.compile(r"[ -](?P<words>(?:[a-z-]+ ){0,2}?[a-z-]{3,}s)\b")  # "ten nominees", "3 Years"
_SHORT: Final = 3  # characters of a word that is no verb's stem
_PLURAL_ENDS: Final = ("ss", "us", "is")
# What may be done to things that are counted, by the starts of its words; what is ordered is not yet delivered.
_DEEDS: Final = tuple(
    re.compile(rf"\b(?:{forms})", re.IGNORECASE)
    for forms in (
        r"deliver|ship(?:ped|ping|ments?|s)?\b",
        r"order|award|commission",
        r"produc|manufactur|assembl|buil[dt]",
        r"s[eo]ld|sells?\b|selling\b|sales?\b",
        r"b[uo]y|bought|purchas|acquir",
        r"open",
        r"clos(?:e|ing|ure)|shut",
        r"hir(?:e|ing)|recruit",
        r"dismiss|laid off|lay off|layoff",
        r"plan(?:s|ned|ning)?\b|expect",
    )
)
# Things for which a text may use more exact names: people are employees, areas are epicenters.
_ANYTHING: Final = frozenset(
    term
    for word in (
        "people persons individuals things items objects pieces parts units areas places sites points kinds sorts types"
        " ways examples groups elements members words titles products total"
    ).split()
    for term in terms(word)
)
_DEED_ENDS: Final = re.compile(r"(?:ion|ment|ing|al|ance|ence|ery|ure)s")  # of a verb: intercept, interceptions
_COMPARED_WITH: Final = re.compile(
    r"\b(?:compared (?:to|with)|versus|vs\.?|than|up from|down from)\b.*|[而比较](?:\d{4}年).*",
    re.IGNORECASE | re.DOTALL,
)
_HOW_MUCH_OF: Final = re.compile(r"(?P<of>\bhow (?:many|much))(?P<things>[^,?]{2,80})", re.IGNORECASE)
_LATIN_WORD: Final = r"[A-Za-z][\w-]{0,40}"
_BEHIND: Final = re.compile(r"[ -](?P<noun>[A-Za-z]{3,20}) (?P<next>[A-Za-z]{2,20})\b")
_TIMES: Final = frozenset("years months weeks days hours minutes seconds year month week day hour minute".split())
_NO_THING: Final = frozenset("was is has does this its as times plus minus less thus always millions billions".split())


def asks_how_many(question: str) -> bool:
    """Whether it asks for the number of things of a kind: "how many", 多少家, 几名."""
    return _HOW_MANY.search(question) is not None


def names_count(span: str) -> bool:
    """Whether a span states a number, in digits or words, or that there are none or several."""
    return _COUNT.search(span) is not None


def counts_others(question: str, text: str, start: int) -> bool:
    """Whether the number at text[start:] counts other things than asked for: "ten nominees" if asked for votes."""
    asked, number = _HOW_MANY_THINGS.search(question), _NUMBER.match(text, start)
    counted = _COUNTED.match(text.lower(), number.end()) if number else None
    if asked is None or counted is None:
        return False
    words = counted["words"].split()
    if words[-1] in _NO_THING or words[-1].endswith(_PLURAL_ENDS):
        return False
    things = set(terms(_THINGS_END.sub("", asked["things"])))
    if not things or not things.isdisjoint(_ANYTHING) or _is_deed(words[-1], question):
        return False
    # "gigatons" are tons, too.
    return not any(a in b or b in a for a in things for b in terms(counted["words"]))


def _is_deed(word: str, question: str) -> bool:
    """Whether a word names what a verb in the question says: "interceptions" if it asks for balls intercepted."""
    return any(
        len(term) > _SHORT
        and word.startswith(term.removesuffix("e"))
        and _DEED_ENDS.fullmatch(word, len(term.removesuffix("e")))
        for term in terms(question)
    )


def counts_condition(question: str, text: str, end: int) -> bool:
    """Whether the words after the number that ends text[:end] only repeat a condition in the question.

    "The default 900k block size", if it asks how much memory a block size needs.
    """
    asked, behind = _HOW_MUCH_OF.search(question), _BEHIND.match(text, end)
    if asked is None or behind is None:
        return False
    things = set(terms(_THINGS_END.sub("", asked["things"])))
    rest = f" {' '.join(re.findall(_LATIN_WORD, question[asked.end('of') :].lower()))} "
    noun = behind["noun"].lower()
    is_asked = not things.isdisjoint(terms(behind.group()))
    return not is_asked and (is_noun(noun) or noun in _TIMES) and f" {noun} {behind['next'].lower()} " in rest


def holds_count(question: str, text: str) -> bool:
    """Whether a text has a number that may be the one asked for: not a year, and not counting other things."""
    text = _DAY.sub(" ", text)
    numbers = [one for one in _NUMBER.finditer(text) if not re.fullmatch(YEAR, one.group())]
    return any(not counts_others(question, text, one.start()) for one in numbers)


def is_of_other_deed(question: str, sentence: str) -> bool:
    """Whether "how many" asks for things that something was done to, and a sentence tells of other deeds or of none.

    Rare, but without it what was ordered is stated as delivered: "16 F-35" of a contract.
    """
    if not asks_how_many(question):
        return False
    asked = [deed for deed in _DEEDS if deed.search(question)]
    told = [deed for deed in _DEEDS if deed.search(sentence)]
    return bool(asked) and not any(deed in told for deed in asked)


def is_of_other_years(question: str, sentence: str) -> bool:
    """Whether a question names years, and a sentence names years, but none of them."""
    asked, said = set(re.findall(YEAR, question)), set(re.findall(YEAR, _COMPARED_WITH.sub("", sentence)))
    return bool(asked and said) and asked.isdisjoint(said)
