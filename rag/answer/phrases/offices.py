"""Who holds an office, by the name beside it, not a former one's or a deputy's; and who joined a board."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from collections.abc import Set as AbstractSet
from typing import Final

from rag.index.tokenize import terms
from rag.reader import Evidence

_JOINED: Final = r"\b(?:re-?)?(?:elect(?:s|ed)?|appoint(?:s|ed)?|nominat(?:es|ed)|named|join(?:s|ed)|voted)\b"
_BOARD: Final = r"\b(?:boards?|directors?|directorships?)\b"
ASKS: Final = re.compile(
    rf"\b(?:who|whom|which|what)\b.{{0,80}}{_JOINED}.{{0,80}}{_BOARD}"
    rf"|\b(?:who|which|what)\b.{{0,20}}{_BOARD}.{{0,40}}{_JOINED}"
    r"|(?:谁|哪[些几]?[位人个]?).{0,20}(?:当选|获选|被选|入选|被任命).{0,20}董事(?!长|会秘书)"
    r"|(?:当选|获选|被选|入选).{0,20}董事(?!长|会秘书).{0,20}(?:谁|哪)",
    re.IGNORECASE,
)
_TELLS: Final = re.compile(
    rf"{_JOINED}.{{0,200}}{_BOARD}|{_BOARD}.{{0,80}}{_JOINED}|(?:当选|选举|聘任|任命).{{0,60}}董事|董事.{{0,40}}当选",
    re.IGNORECASE | re.DOTALL,
)
_OFFICES: Final = tuple(
    re.compile(pattern, re.IGNORECASE)
    for pattern in (
        r"\bchief executive(?: officer)?\b|\bCEO\b|首席执行官",
        r"\bchief financial officer\b|\bCFO\b|首席财务官|财务总监",
        r"\bchief operating officer\b|\bCOO\b|首席运营官",
        r"\bchief technology officer\b|\bCTO\b|首席技术官",
        r"\bgeneral counsel\b|\bchief legal officer\b",
        r"(?<!vice )(?<!vice-)\bchair(?:man|woman|person)?(?: of the board)?\b|(?<!副)董事长",
        r"(?<!vice )(?<!vice-)\bpresident\b(?! of the board)",
        r"(?<!副)总经理",
        r"董事会秘书",
    )
)
_HEAD: Final = re.compile(
    r"^\W*who(?:[’']s| is)?(?: (?:currently|now))? (?:runs?|running|leads?|leading|heads?|heading"
    r"|(?:the )?(?:boss|head|leader) (?:of|at)|in charge (?:of|at))\b|谁(?:领导|掌管)|(?:老板|一把手)是谁",
    re.IGNORECASE,
)
_TITLE_WORDS: Final = (
    "chief executive vice president officer chairman chairwoman chairperson chair director directors board senior "
    "general global company operating financial technology legal marketing corporation inc corp group north america "
    "international counsel secretary treasurer controller division prior since our the head office present report in "
    "on annual mr ms former principal accounting chairs managing products services business"
)
_NO_NAME: Final = frozenset(_TITLE_WORDS.split())
NAME: Final = (
    r"(?<![\w.])(?:[A-Z][a-z’'-]{1,20}|[A-Z]\.)(?: [A-Z]\.){0,2}"
    r"(?: (?:de |van |von )?[A-Z][A-Za-z’'-]{1,20}){1,2}(?![\w])"
)
_NAME: Final = re.compile(NAME)
_HAN_NAME: Final = re.compile(
    r"\s{0,9}(?:为|是|[:：]|由)?\s{0,9}([\u4e00-\u9fff]{2,4})(?=先生|女士|[，。、；;,（(\s]|$)"
)
_PAST: Final = re.compile(
    r"\b(?:former(?:ly)?|previous(?:ly)?|prior to|retired|retiring|outgoing|then[- ]|ex-|served as|until|interim)\b"
    r"|前任|原任|时任|曾任|辞",
    re.IGNORECASE,
)
_ANOTHER_TIME: Final = re.compile(
    r"\b(?:was|were|former|previous|before|used to|will|next|new|succe\w+|replac\w+|becom\w+|became|appoint\w+)\b"
    r"|\b(?:19|20)\d\d\b|前任|原|曾|年|接任|继任|新任|将",
    re.IGNORECASE,
)
_OF: Final = re.compile(r"(?:,| of| at)\s((?:[A-Z][\w&’'-]*[ ]?){1,6})")
_FORMS: Final = frozenset("inc corp corporation company co ltd plc llc the group holdings incorporated limited".split())
_BETWEEN: Final = frozenset(
    "and of is our its the a has been was appointed serves as also & co-founder founder".split()
)
_BEFORE: Final = 110  # characters between a name and the office that follows it
_AFTER: Final = 60  # characters between an office and the name that follows it
_LOOKED_AT: Final = 40  # sentences
_MAX_SENTENCE: Final = 600  # characters


def asks_for_directors(question: str) -> bool:
    """Whether it asks who was elected or appointed to a board, and not to an office such as its chair."""
    return ASKS.search(question) is not None and asks_for_office(question) is None


def tells_of_directors(sentence: str) -> bool:
    """Whether a sentence says that somebody was elected or appointed to a board."""
    return _TELLS.search(sentence) is not None


def asks_for_office(question: str) -> re.Pattern[str] | None:
    """The office whose holder is asked for, as a pattern for its names."""
    return next((office for office in _OFFICES if office.search(question)), None)


def asks_for_head(question: str) -> re.Pattern[str] | None:
    """The office of whoever runs a company, if that is asked for: "Who runs Boeing?"."""
    return _OFFICES[0] if _HEAD.search(question) else None


def asks_of_another_time(question: str) -> bool:
    """Whether the question is about another time than that of the document."""
    return _ANOTHER_TIME.search(question) is not None


def find_holder(question: str, evidence: Sequence[Evidence]) -> tuple[Evidence, int, int] | None:
    """The sentence, and the name [start, end) in it, of whoever holds the office that the question asks for."""
    office = asks_for_office(question)
    if office is None or asks_of_another_time(question):
        return None
    for found in evidence[:_LOOKED_AT]:
        for title in office.finditer(found.text[:_MAX_SENTENCE]):
            if not is_anothers(question, found.text, title) and (name := name_beside(found.text, title, question)):
                return found, *name
    return None


def is_name(text: str) -> bool:
    """Whether a text has the form of a person's name, with or without a title."""
    name = re.sub(r"^(?:Mr|Ms|Mrs|Dr)\.? ", "", text.strip())
    if re.fullmatch(r"[\u4e00-\u9fff·]{2,12}(?:先生|女士)?", name):
        return not re.search(r"公司|集团|董事|股东|委员会", name)
    words = {word.lower().strip(".,") for word in name.split()}
    has_form = _NAME.fullmatch(name) or (name != text.strip() and re.fullmatch(r"[A-Z][\w’'-]+", name))
    return bool(has_form) and words.isdisjoint(_NO_NAME | _FORMS)


def is_anothers(question: str, text: str, title: re.Match[str]) -> bool:
    """Whether the office is at a company or division that the question does not name."""
    named = _OF.match(text, title.end())
    if named is None:
        return False
    words = [word.lower().strip(".,") for word in named.group(1).split()]
    asked = set(terms(question))
    is_name = _NAME.fullmatch(named.group(1).strip()) and text[title.end()] == "," and asked.isdisjoint(words)
    if words[0] in _NO_NAME or is_name:
        return False  # another title, or a person
    return bool(set(terms(named.group(1))) - asked - _FORMS)


def name_beside(text: str, title: re.Match[str], question: str) -> tuple[int, int] | None:
    """The name before the office or right after it, in the same clause and not about the past.

    A name contains no word of the question: that would be the company's, or a division's.
    """
    asked = set(terms(question))
    if han := _HAN_NAME.match(text, title.end()):
        return None if _PAST.search(text, max(title.start() - 8, 0), han.end() + 2) else han.span(1)
    before = max(title.start() - _BEFORE, 0)
    if names := [name for name in _names(text, asked) if before <= name[0] and name[1] <= title.start()]:
        start, end = names[-1]
        if _only_titles(text[end : title.start()]) and not _PAST.search(text, max(start - 20, 0), title.start()):
            return start, end
    after = next((name for name in _names(text, asked) if title.end() <= name[0] <= title.end() + _AFTER), None)
    if (
        after is None
        or re.fullmatch(r"[\s,:–-]{0,3}(?:is |was )?(?:Mr\. |Ms\. |Mrs\. |Dr\. )?", text[title.end() : after[0]])
        is None
    ):
        return None
    return None if _PAST.search(text, max(title.start() - 30, 0), after[0]) else after


def _only_titles(text: str) -> bool:
    """Whether only an age and other offices of the same person are between a name and an office."""
    words = [word.lower() for word in re.findall(r"[\w&-]+", text)]
    return re.search(r"[.;；。(]", text) is None and all(
        word.isdigit() or word in _NO_NAME or word in _BETWEEN for word in words
    )


def _names(text: str, asked: AbstractSet[str]) -> Iterator[tuple[int, int]]:
    for match in _NAME.finditer(text[:_MAX_SENTENCE]):
        words = [word.lower().strip(".") for word in match.group().split()]
        if not any(word in _NO_NAME or word in asked for word in words):
            yield match.span()
