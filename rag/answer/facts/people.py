"""People that a document names: who holds an office, who was elected to the board, and who signed."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from rag.answer.facts.search import PageText, Place, Stated
from rag.answer.phrases.offices import NAME, is_anothers, is_name, name_beside, tells_of_directors
from rag.answer.sentences import sentence_spans

_AGE: Final = r"\(?(?:[Aa]ge[d]? )?(?:[3-8]\d)\)?"
_HOLDER_ROW: Final = re.compile(
    rf"^[ \t]*(?P<name>{NAME}),?\s{{1,3}}{_AGE},?\s{{1,3}}(?P<titles>[A-Z][^\n]{{2,200}})", re.MULTILINE
)
_SIGNED_WITH_TITLE: Final = re.compile(
    r"/s/\s*(?P<name>[A-Z][\w.’'-]+(?: [A-Z][\w.’'-]*){1,3})\s*\n(?P<titles>(?:[^\n]{2,90}\n?){1,3})"
)
# The name is printed below the signature, which a PDF may hold as "D AVID W ELLS".
_PRINTED_BELOW: Final = re.compile(
    rf"/ ?[sS] ?/[^\n]{{0,60}}\n[ \t]*(?:Name: )?(?P<name>{NAME})[ \t]*\n(?P<titles>(?:[^\n]{{2,90}}\n?){{1,2}})"
)
_LISTED: Final = re.compile(
    rf"^[ \t]*(?:(?:Mr|Ms|Mrs|Dr)\. )?(?P<name>{NAME})(?: ?[,:]| ?[–—]| -) (?P<titles>[A-Z][^\n]{{2,120}})",
    re.MULTILINE,
)
_HELD_BEFORE: Final = re.compile(
    r"\b(?:19|20)\d\d\b|\bsince\b|\bfrom\b|\.\s|;|\bformer|\bprevious|\bprior\b|\buntil\b", re.IGNORECASE
)
_ROW_VOTES, _SIGNED_VOTES, _LISTED_VOTES, _SENTENCE_VOTES = 4.0, 2.0, 2.0, 1.0
_SIGNED_FORMS: Final = (_SIGNED_WITH_TITLE, _PRINTED_BELOW)
_FORMS: Final = (
    (_HOLDER_ROW, _ROW_VOTES),
    *((pattern, _SIGNED_VOTES) for pattern in _SIGNED_FORMS),
    (_LISTED, _LISTED_VOTES),
)
_MAX_LINE: Final = 600  # characters of a line that is treated as a sentence
_MIN_LEAD: Final = 1.5  # ratio of the first's votes to the second's, from which on it is certain
ASKS_FOR_SIGNERS: Final = re.compile(
    r"\b(?:who|which (?:officers?|executives?|persons?|people|directors?))\b.{0,40}\bsign(?:s|ed)?\b"
    r"|\bsignator(?:y|ies)\b",
    re.IGNORECASE,
)
SIGNER_WORDS: Final = (
    "signed sign signs signatory signatories signature signatures form 8-k 10-q 8 k filing behalf registrant"
    " certification certifications certified certificate certificates officer officers executive executives persons"
    " person people directors director this current quarterly"
)
_CERTIFICATIONS: Final = re.compile(r"\bcertif", re.IGNORECASE)
_ON_BEHALF: Final = re.compile(r"\bon behalf\b", re.IGNORECASE)
_REPORT: Final = re.compile(
    r"\bduly caused this (?:\w+ ){1,3}to be signed\b|\bsigned below by the following persons\b|^\W{0,9}SIGNATURES?\b",
    re.IGNORECASE | re.MULTILINE,
)
_CERTIFICATE: Final = re.compile(r"\bI,? [^\n]{3,60},? certify that\b|\bhereby certif(?:y|ies)\b", re.IGNORECASE)
_AUDITOR: Final = re.compile(r"\b(?:LLP|L\.L\.P|independent registered public accounting firm)\b", re.IGNORECASE)
_SIGNED: Final = re.compile(r"/s/\s{0,9}(?P<name>[A-Z][\w.’'-]*(?: [A-Z][\w.’'-]*){1,4}(?:,? (?:Jr|Sr|II|III|IV)\.?)?)")
_TITLE_WORDS: Final = frozenset(
    "chief chairman chair president vice executive senior director officer title name date principal chairperson"
    " attorney controller treasurer secretary general".split()
)
_LINES_AFTER: Final = re.compile(r"(?:\n(?!.*/s/)[^\n]{1,80}){0,3}")
_MOST_SIGNERS: Final = 30  # names
ELECTION_WORDS: Final = (
    "who whom elect elected re-elected reelected appoint appointed nominated named join joined voted vote board boards"
    " director directors shareholder shareholders stockholder stockholders meeting annual member members new person"
    " people nominee nominees recently 当选 获选 被选 入选 被任命 董事会 董事 成员 股东大会 进入"
)
_NAME: Final = r"[A-Z][\w’'-]*\.?(?: [A-Z][\w’'-]*\.?){1,4}(?:,? (?:Jr|Sr|II|III|IV|Ph\.?D|M\.?D)\.?)?"
_ROW: Final = re.compile(rf"^\W{{0,4}}(?P<name>{_NAME})(?P<votes>(?:\s{{1,3}}\d{{1,3}}(?:,\d{{3}})+){{1,4}})\b")
_NO_PERSON: Final = re.compile(
    r"\b(?:votes?|broker|against|for|withheld|abstain\w*|total|year|shares?|stock|company)\b", re.IGNORECASE
)
_HEADER: Final = re.compile(
    r"\bfor\b.{0,80}\b(?:against|withh[eo]ld|abstain|abstentions?)\b", re.IGNORECASE | re.DOTALL
)
_ELECTION: Final = re.compile(
    r"\belect(?:ion|ed)?\b.{0,200}\b(?:directors?|board|nominees)\b", re.IGNORECASE | re.DOTALL
)
_ELECTED: Final = re.compile(r"\b(?:re-?)?elected\b", re.IGNORECASE)
_BEFORE: Final = 1_200  # characters before a table of votes that say what was voted on
_TITLE: Final = r"(?:(?:Mr|Ms|Mrs|Dr)\. )?"
_IN_SENTENCE: Final = (
    re.compile(rf"\b(?:[Bb]oard(?: of [Dd]irectors)?|[Ss](?:hare|tock)holders|[Cc]ompany)"
               rf"(?: has| have)?(?: also)? (?:re-)?(?:elected|appointed) {_TITLE}(?P<name>{NAME})"),
    re.compile(rf"{_TITLE}(?P<name>{NAME}),? (?:was|has been|had been) (?:re-)?(?:elected|appointed) "
               r"(?:to (?:the|its|our|\w+[’']s) (?:\w+ ){0,2}[Bb]oard\b|(?:as )?(?:an? )?(?:\w+ ){0,2}director\b)"),
)  # fmt: skip
_OFFICE: Final = re.compile(
    r"(?:,? (?:as|to be|to serve as|to the (?:position|office|role) of))? (?:(?:its|our|the) )?(?:\w+ ){0,3}"
    r"(?:officer|president|chief|chair|chairman|secretary|treasurer|controller)\b",
    re.IGNORECASE,
)
_MAX_SENTENCE: Final = 800  # characters
_GAP: Final = 200  # characters without a row, after which a table has ended
_MOST: Final = 3  # sentences that are shown


@dataclass(frozen=True, slots=True)
class _Vote:
    name: Place
    evidence: Place
    weight: float


def find_holder_in(question: str, office: re.Pattern[str], pages: Sequence[PageText]) -> Stated | None:
    """The name with the most votes; None if there are no votes."""
    votes: dict[str, list[_Vote]] = defaultdict(list)
    for page in pages:
        if office.search(page.text):
            for vote in _votes(question, office, page):
                votes[vote.name.text.split()[-1].casefold()].append(vote)
    ranked = sorted(votes.values(), key=lambda one: -sum(vote.weight for vote in one))
    if not ranked:
        return None
    first, second = (sum(vote.weight for vote in one) for one in (ranked[0], ranked[1] if len(ranked) > 1 else []))
    best = max(ranked[0], key=lambda vote: (not vote.name.text.isupper(), vote.weight))
    return Stated((best.name.text,), (best.name,), (best.evidence,), certain=first >= _MIN_LEAD * second)


def _votes(question: str, office: re.Pattern[str], page: PageText) -> Iterator[_Vote]:
    seen: set[int] = set()
    for pattern, weight in _FORMS:
        for match in pattern.finditer(page.text):
            titles = match["titles"] if pattern in _SIGNED_FORMS else _now(match["titles"])
            title = office.search(titles)
            named = _without_titles(match["name"]) == match["name"]
            if title and named and not is_anothers(question, titles, title) and match.start("name") not in seen:
                seen.add(match.start("name"))
                end = match.start("titles") + len(titles)
                yield _Vote(Place(page, *match.span("name")), Place(page, match.start("name"), end), weight)
    at = 0
    for line in page.text.split("\n"):
        for title in office.finditer(line[:_MAX_LINE]):
            if not is_anothers(question, line, title) and (name := name_beside(line[:_MAX_LINE], title, question)):
                end = min(len(line), max(name[1], title.end()) + 120)
                yield _Vote(Place(page, at + name[0], at + name[1]), Place(page, at, at + end), _SENTENCE_VOTES)
        at += len(line) + 1


def _now(titles: str) -> str:
    """The titles before the first date or the end of the first sentence: those currently held."""
    past = _HELD_BEFORE.search(titles)
    return titles[: past.start()] if past else titles


def find_signers(question: str, pages: Sequence[PageText]) -> Stated | None:
    """The names that stand after "/s/", each once; None if no page for signing has one."""
    pattern = _CERTIFICATE if _CERTIFICATIONS.search(question) else _REPORT
    found: dict[str, tuple[Place, Place]] = {}
    for name, around in _signatures(pattern, pages):
        found.setdefault(name.text.casefold().strip("."), (name, around))
    places = list(found.values())[: 1 if _ON_BEHALF.search(question) else _MOST_SIGNERS]
    if not places:
        return None
    names = tuple(name for name, _ in places)
    shown = tuple(around for _, around in places[:3])
    return Stated(tuple(name.text for name in names), names, shown)


def _signatures(pattern: re.Pattern[str], pages: Sequence[PageText]) -> Iterator[tuple[Place, Place]]:
    """Each name that is signed, and the name with the lines below it, which say the office."""
    signing = False
    for page in pages:
        starts = pattern.search(page.text)
        signing = starts is not None or (signing and "/s/" in page.text and not _CERTIFICATE.search(page.text))
        if not signing or (_AUDITOR.search(page.text) and starts is None):
            signing = False
            continue
        for match in _SIGNED.finditer(page.text, starts.start() if starts and pattern is _REPORT else 0):
            name = _without_titles(match["name"])
            if name:
                start = match.start("name")
                end = _end_of_lines(page.text, match.end())
                line = page.text.rfind("\n", 0, start) + 1
                yield Place(page, start, start + len(name)), Place(page, line, end)


def _without_titles(name: str) -> str:
    """A name before the first word of an office that stands on the same line; "" for less than two words."""
    words = name.split(" ")
    end = next((n for n, word in enumerate(words) if word.lower().strip(".,") in _TITLE_WORDS), len(words))
    return " ".join(words[:end]) if end > 1 else ""


def _end_of_lines(text: str, end: int) -> int:
    match = _LINES_AFTER.match(text, text.find("\n", end) if "\n" in text[end:] else len(text))
    return match.end() if match else end


def find_elected(pages: Sequence[PageText]) -> Stated | None:
    """The nominees with more votes for than against, else who a sentence says was elected; None if there is neither."""
    for page in pages:
        names = tuple(_voted_for(page))
        if names:
            told = _said_to_be_elected(page, names[-1].end)
            return Stated(tuple(name.text for name in names), names, (told or names[0],), certain=told is not None)
    told_of = {name.text: (name, sentence) for page in reversed(pages) for name, sentence in _told(page)}
    if not told_of:
        return None
    found = list(reversed(told_of.values()))
    return Stated(
        tuple(name.text for name, _ in found), tuple(name for name, _ in found), tuple(one for _, one in found[:_MOST])
    )


def _voted_for(page: PageText) -> Iterator[Place]:
    """The names in the first table of votes on an election of directors."""
    if not _ELECTION.search(page.text):
        return
    at, last = 0, -1
    for line in page.text.splitlines(keepends=True):
        row = _ROW.match(line)
        if row and not _NO_PERSON.search(row["name"]) and (last >= 0 or _is_election(page.text[:at])):
            last = at
            votes = [int(one.replace(",", "")) for one in row["votes"].split()]
            if len(votes) < 2 or votes[0] > votes[1]:
                yield Place(page, at + row.start("name"), at + row.end("name"))
        elif last >= 0 and at - last > _GAP:
            return
        at += len(line)


def _is_election(before: str) -> bool:
    """Whether the text before a row says that it is about votes on an election."""
    before = before[-_BEFORE:]
    return _HEADER.search(before) is not None and _ELECTION.search(before) is not None


def _said_to_be_elected(page: PageText, after: int) -> Place | None:
    """The first sentence after the table that says so, else one before it."""
    spans = [span for span in sentence_spans(page.text) if _ELECTED.search(page.text, *span)]
    later = [span for span in spans if span[0] >= after]
    return Place(page, *(later or spans)[0]) if spans else None


def _told(page: PageText) -> Iterator[tuple[Place, Place]]:
    """Each name that a sentence says was elected, and the sentence."""
    if not tells_of_directors(page.text):
        return
    for start, end in sentence_spans(page.text):
        text = page.text[start : min(end, start + _MAX_SENTENCE)]
        for pattern in _IN_SENTENCE:
            for match in pattern.finditer(text) if tells_of_directors(text) else ():
                if is_name(match["name"]) and not _OFFICE.match(text, match.end()):
                    yield Place(page, start + match.start("name"), start + match.end("name")), Place(page, start, end)
