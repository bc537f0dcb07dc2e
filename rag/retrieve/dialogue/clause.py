"""Divides an English question into its phrases: what is asked, periods, noun phrases and their owners.

Without a parser. It knows function words, common verbs and their position in a question, and takes the rest for nouns.
That is enough to find the phrase that a follow-up ("and in 2020?") replaces; a wrong division only costs an odd
wording.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

MAX_CHARACTERS: Final = 600  # of a question, that are analysed

_MONTH = (
    "jan(?:uary)?|feb(?:ruary)?|mar(?:ch)?|apr(?:il)?|may|june?|july?|aug(?:ust)?|sept?(?:ember)?|oct(?:ober)?"
    "|nov(?:ember)?|dec(?:ember)?"
)
_YEAR = r"(?:19|20)\d\d"
_FISCAL = r"(?:the\s+)?(?:(?:fiscal|financial|calendar)\s+years?|fiscal|financial|years?|fy|cy)\s?"
PERIOD: Final = re.compile(
    rf"\b(?:(?:between|from)\s+(?:{_FISCAL})?{_YEAR}\s+(?:and|to|until)\s+(?:{_FISCAL})?{_YEAR}"
    rf"|(?:{_MONTH})\s+\d{{1,2}},?\s+{_YEAR}|\d{{1,2}}\s+(?:{_MONTH})\s+{_YEAR}|(?:{_MONTH})\s+{_YEAR}"
    rf"|(?:{_FISCAL})?{_YEAR}(?:[-/–]\d\d(?:\d\d)?)?|fy\s?\d\d"
    r"|(?:the\s+)?(?:first|second|third|fourth|last)\s+(?:quarter|half)|q[1-4]|h[12]"
    r"|(?:the\s+)?(?:last|previous|prior|preceding|next|following|current|this|same)\s+(?:fiscal\s+|financial\s+)?(?:year|quarter|month)"
    r"|the\s+(?:year|quarter|month)\s+(?:before|after))\b",
    re.IGNORECASE,
)
YEAR: Final = re.compile(rf"(?<!\d){_YEAR}(?!\d)")
_TOKEN = re.compile(r"[^\W_]+(?:[-.&'’/][^\W_]+)*(?:(?<=s)['’](?=\s)|%)?|[^\w\s]")

WH: Final = frozenset("what who whom whose which when where why how".split())
AUXILIARIES: Final = frozenset(
    "do does did is are was were am be been being has have had can could should must will would may might shall".split()
)
_DO = frozenset("do does did can could should must will would may might shall".split())
PREPOSITIONS: Final = frozenset(
    "in on at by for from to of with about under during since until between into through over after before without"
    " within per among against across above below than via as like towards upon inside outside versus vs".split()
)
_DETERMINERS = frozenset(
    "the a an this that these those my your our its their his her any some no each every all".split()
)
_BREAKS = frozenset(
    "and or but if unless while because that it they them he him she i you we us there not also too only still already"
    " ever often early late long high much many more most less exactly usually currently so then again together".split()
)
# Words of manner and amount that follow "how" or "what" and belong to what is asked.
_BE = frozenset(("is", "are", "was", "were"))
_SUBJECTS = frozenset("it they he she i you we there".split())
_DEGREES = frozenset("much many often long high low large big far fast old heavy tall deep wide early late".split())
_PARTICIPLE = re.compile(r".{2,}(?:ed|able|ible|ing)$")


@dataclass(frozen=True, slots=True)
class Phrase:
    """A noun phrase in a question, without its preposition."""

    start: int  # [start, end) in the question, including the determiner
    end: int
    text: str
    preposition: str = ""  # the word right before it, in lower case
    asked: bool = False  # part of what is asked: "stores" in "How many stores did ..."

    @property
    def owner(self) -> str:
        """Whose it is: "Ulta" of "Ulta's revenue"; "" for none."""
        match = _POSSESSIVE.match(self.text)
        return match[1] if match else ""

    @property
    def item(self) -> str:
        """What is owned: "revenue" of "Ulta's revenue", "weight" of "the weight"."""
        match = _POSSESSIVE.match(self.text)
        return self.text[match.end() :] if match else _DETERMINER.sub("", self.text)

    @property
    def determined(self) -> bool:
        """Whether it starts with a determiner."""
        return bool(_DETERMINER.match(self.text))

    @property
    def head(self) -> str:
        """Its last word, in lower case."""
        return self.text.rsplit(maxsplit=1)[-1].casefold()


_POSSESSIVE = re.compile(r"^(.{1,80}?)(?:['’]s|(?<=s)['’])\s+")
_DETERMINER = re.compile(rf"^(?:{'|'.join(sorted(_DETERMINERS))})\s+", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Clause:
    """An analysed question."""

    text: str  # without the mark at its end
    asked: str  # "How many stores", "In which year"; "" for a yes/no question, and for a list of words
    remainder: str  # what follows: from the auxiliary on, or from the verb on
    inverted: bool  # whether the remainder starts with an auxiliary
    periods: tuple[tuple[int, int], ...]  # spans of the periods that it names
    phrases: tuple[Phrase, ...]


@dataclass(frozen=True, slots=True)
class _Token:
    text: str
    start: int
    end: int
    kind: str  # "wh", "auxiliary", "preposition", "determiner", "break", "period" or "word"


def analyse(question: str) -> Clause:
    """Analyse a question. A pure function of the first MAX_CHARACTERS characters."""
    text = question[:MAX_CHARACTERS].strip().rstrip("?？!.。 ")
    tokens = list(_tokens(text))
    asked_end = _asked_end(tokens)
    inverted = asked_end < len(tokens) and tokens[asked_end].kind == "auxiliary"
    cut = tokens[asked_end].start if asked_end < len(tokens) else len(text)
    return Clause(
        text=text,
        asked=text[:cut].strip(),
        remainder=text[cut:],
        inverted=inverted,
        periods=tuple(match.span() for match in PERIOD.finditer(text)),
        phrases=tuple(_phrases(text, tokens, asked_end)),
    )


def is_clause(text: str) -> bool:
    """Whether a text has a verb where a question or request has one."""
    tokens = list(_plain_tokens(text[:MAX_CHARACTERS]))
    if any(token.kind == "auxiliary" for token in tokens):
        return True
    words = [token.text.casefold() for token in tokens]
    if words and words[0] in IMPERATIVES:
        return len(words) > 1
    asks = any(token.kind == "wh" for token in tokens[:2])
    finite = any(word in finite_verbs() for word in words[1:])
    return asks and (finite or any(word in base_verbs() for word in words[2:-1]))


IMPERATIVES: Final = frozenset(
    "list name explain describe summarise summarize show tell give compare compute calculate define find translate"
    " state identify outline quote".split()
)


_REQUEST = re.compile(
    rf"^(?:please\s+)?(?:(?:tell|show|give)\s+me(?:\s+(?:something|more|some|details))*(?:\s+about)?|{'|'.join(sorted(IMPERATIVES))}"
    r"|what\s+about|how\s+about|compare)(?:\s+(?:some|all|each))?(?:\s+of)?\b",
    re.IGNORECASE,
)


def _tokens(text: str) -> Iterator[_Token]:
    request = _REQUEST.match(text)
    for token in _plain_tokens(text):
        yield replace(token, kind="break") if request and token.end <= request.end() else token


def _plain_tokens(text: str) -> Iterator[_Token]:
    periods = [match.span() for match in PERIOD.finditer(text)]
    position = 0
    for first, last in [*periods, (len(text), len(text))]:
        for match in _TOKEN.finditer(text, position, first):
            yield _Token(match.group(), match.start(), match.end(), _kind(match.group()))
        if first < last:
            yield _Token(text[first:last], first, last, "period")
        position = last


def _kind(word: str) -> str:
    folded = word.casefold()
    for kind, words in (
        ("wh", WH), ("auxiliary", AUXILIARIES), ("preposition", PREPOSITIONS), ("determiner", _DETERMINERS),
        ("break", _BREAKS),
    ):  # fmt: skip
        if folded in words and (word.islower() or word.istitle() or len(word) == 1):
            return kind
    is_adverb = word.islower() and word.endswith("ly") and len(word) > 4 and word not in _NOUNS_IN_LY
    return "word" if word[0].isalnum() and not is_adverb else "break"


_NOUNS_IN_LY: Final = frozenset(
    "family supply reply assembly anomaly monopoly apply rely comply multiply imply".split()
)
_SUBORDINATORS: Final = frozenset("if when while because that unless until since before after".split())


def _asked_end(tokens: list[_Token]) -> int:
    """Index of the first token after what is asked, which is the auxiliary or verb; 0 without a question word."""
    first = next((n for n, token in enumerate(tokens[:3]) if token.kind == "wh"), None)
    if first is None or any(token.kind != "preposition" for token in tokens[:first]):
        return 0
    if [token.kind for token in tokens[first + 1 : first + 3]] == ["break", "wh"] and tokens[first + 1].text == "and":
        first += 2  # "when and why did"
    end = next((n for n in range(first + 1, len(tokens)) if _ends_asked(tokens[n])), len(tokens))
    verbs = [n for n in range(first + 1, end) if tokens[n].text.casefold() in finite_verbs()]
    # "Who wrote", "What happens": the verb follows the question word.
    if verbs and verbs[0] == first + 1 and tokens[first].text.casefold() in ("who", "what"):
        return verbs[0]
    auxiliary = next((n for n in range(first + 1, end) if tokens[n].kind == "auxiliary"), None)
    if auxiliary is not None:
        return auxiliary
    verbs = verbs or [n for n in range(first + 2, end) if tokens[n].kind == "word" and tokens[n].text.endswith("ed")]
    return verbs[0] if verbs else len(tokens)


def _ends_asked(token: _Token) -> bool:
    return token.kind == "wh" or (token.kind == "break" and token.text.casefold() not in _DEGREES)


def _phrases(text: str, tokens: list[_Token], asked_end: int) -> Iterator[Phrase]:
    """The noun phrases in order: stretches of words between function words, without verbs."""
    run: list[_Token] = []
    before = governor = ""  # the preposition right before the run; the auxiliary that still lacks its verb
    for n, token in enumerate([*tokens, _Token("", len(text), len(text), "break")]):
        is_verb = token.kind == "word" and n == asked_end > 0
        if (token.kind == "word" and not is_verb) or _modifies(tokens, n):
            run.append(replace(token, kind="word"))
            continue
        if any(one.kind != "determiner" for one in run):
            nouns = _nouns(run, governor if n > asked_end else "", token.text.casefold())
            for at, some in enumerate(nouns):
                yield from _cut(text, some, "" if at else before, asked=n <= asked_end)
            governor = "" if len(nouns) != 1 or len(nouns[0]) < len(run) else governor
        run = [token] if token.kind == "determiner" else []
        if token.kind == "preposition":
            before = token.text.casefold()
        elif token.kind != "determiner":
            before = ""
            governor = _next_governor(token, governor)
            if governor in _BE and n == asked_end == 1 and tokens[0].text.casefold() in ("what", "who"):
                governor = "definition"


def _modifies(tokens: list[_Token], n: int) -> bool:
    """Whether an adverb before a noun is its adjective: "late delivery"."""
    if n + 1 >= len(tokens) or tokens[n].text.casefold() not in _DEGREES or tokens[n].kind != "break":
        return False
    return tokens[n + 1].kind == "word" and (n == 0 or tokens[n - 1].kind not in ("wh", "word"))


def _next_governor(token: _Token, governor: str) -> str:
    if token.kind == "auxiliary":
        return token.text.casefold()
    if token.text.casefold() in _SUBORDINATORS:
        return "clause"
    return "pronoun" if governor in _DO and token.text.casefold() in _SUBJECTS else governor


def _nouns(run: list[_Token], governor: str, after: str) -> list[list[_Token]]:
    """A run of words split at its verb, if it has one. `governor`: its auxiliary; `after`: the next word."""
    words = [token.text.casefold() for token in run]
    first = 1 + (run[0].kind == "determiner")
    if governor == "pronoun":
        return [run[1:]] if words[0] in base_verbs() else [run]
    if governor in _DO:
        verbs = [n for n in range(first, len(words)) if words[n] in base_verbs()]
        if verbs:
            verb = verbs[-1] if verbs[-1] == len(words) - 1 else verbs[0]
            return [run[:verb], run[verb + 1 :]]
        named = after == "of" or run[-1].text[0].isupper() or len(words) <= first
        return [run] if named else [run[:-1], []]
    if governor == "clause":  # "if the pump leaks"
        end = next((n for n in range(first, len(words)) if words[n] in finite_verbs()), len(words))
        return [run] if end == len(words) else [run[:end], []]
    if governor == "definition" and not after:
        return [run]  # "What is seafloor spreading?"
    if governor:
        return _without_participle(run, first)
    return [run]


def _without_participle(run: list[_Token], first: int) -> list[list[_Token]]:
    """What comes before and after a participle; what comes before adjectives at the end."""
    if _is_participle(run[0].text):
        return [run[1:]]
    if all(_is_adjective(token.text) for token in run):
        return []
    end = next((n for n in range(first, len(run)) if _is_participle(run[n].text)), len(run))
    # A participle before a noun may belong to it: "operating income", "the X200 used pump".
    if end < len(run) - 1 and run[end].text.endswith("ing"):
        end = len(run)
    rest = run[end + 1 :]
    kept = run[:end]
    while len(kept) > first and _is_adjective(kept[-1].text):
        kept = kept[:-1]
    return [kept, rest] if len(kept) < len(run) else [run]


def _is_adjective(word: str) -> bool:
    return word in word_lists()["adjectives"] or (word.islower() and word.endswith("est") and len(word) > 4)


def _is_participle(word: str) -> bool:
    if not word.islower() or word in word_lists()["nouns"]:
        return False
    return bool(_PARTICIPLE.match(word)) or word in participles()


def _cut(text: str, run: list[_Token], preposition: str, *, asked: bool) -> Iterator[Phrase]:
    """The phrase in a run; none if the run is a degree ("how much") or only a determiner."""
    words = [token for token in run if token.kind == "word" and not (asked and token.text.casefold() in _DEGREES)]
    if preposition == "to" and words and run[0] is words[0] and words[0].text.casefold() in base_verbs():
        run = words = words[1:]
    if words:
        start = run[0].start if run[0].kind == "determiner" else words[0].start
        yield Phrase(start, words[-1].end, text[start : words[-1].end], preposition, asked)


@functools.cache
def word_lists() -> Mapping[str, frozenset[str]]:
    """The lists in `words.txt`, by name."""
    lists: dict[str, set[str]] = {}
    current: set[str] = set()
    for line in Path(__file__).with_name("words.txt").read_text("utf-8").splitlines():
        if line.startswith("["):
            current = lists.setdefault(line[1 : line.index("]")], set())
        elif not line.startswith("#"):
            current.update(line.replace("_", " ").split())
    return {name: frozenset(words) for name, words in lists.items()}


@functools.cache
def irregular_verbs() -> Mapping[str, tuple[str, str]]:
    """Past tense -> base form and participle: "wrote" -> ("write", "written")."""
    rows = (entry.split("/") for entry in word_lists()["irregular"])
    return {past: (base, participle) for base, past, participle in rows}


@functools.cache
def base_verbs() -> frozenset[str]:
    """Common verbs in their base form."""
    return word_lists()["verbs"]


@functools.cache
def participles() -> frozenset[str]:
    """Irregular participles."""
    return frozenset(participle for _, participle in irregular_verbs().values()) | {"born"}


@functools.cache
def finite_verbs() -> frozenset[str]:
    """Common verbs in the third person and in the past tense."""
    return frozenset(form for base in base_verbs() for form in (_third_person(base), past_tense(base))) | frozenset(
        irregular_verbs()
    )


def _third_person(base: str) -> str:
    if base.endswith(("s", "x", "ch", "sh", "o")):
        return f"{base}es"
    return f"{base[:-1]}ies" if base.endswith("y") and base[-2] not in "aeiou" else f"{base}s"


def past_tense(base: str) -> str:
    """The past tense, regular or irregular."""
    for past, (known, _) in irregular_verbs().items():
        if known == base:
            return past
    if base.endswith("e"):
        return f"{base}d"
    return f"{base[:-1]}ied" if base.endswith("y") and base[-2] not in "aeiou" else f"{base}ed"
