"""Replaces pronouns of an English question that refer to the question before it."""

from __future__ import annotations

import re
from collections.abc import Iterator

from rag.retrieve.dialogue.clause import AUXILIARIES, PREPOSITIONS, analyse, word_lists
from rag.retrieve.dialogue.subject import Before, asks_for_figure, capitalised, entities, item_of, topic_of

PRONOUN = re.compile(
    r"\b(?P<possessive>its|their|theirs|his|her)\b(?=\s+\w)|\b(?P<person>he|him|she|her)\b|\b(?P<thing>it)\b"
    r"|\b(?P<things>they|them)\b|\b(?P<place>there)\b"
    r"|\b(?P<named>(?:that|this|the same|said)\s+(?:company|firm|corporation|group|business|person|man|woman"
    r"|author|city|country|town|place|product|device|model|machine|segment|drug|book|building))\b"
    r"|(?P<that>\b(?:that|this|those|these)\b(?=\s*(?:$|compare|change|differ|increase|decrease|mean|happen|work"
    r"|include|affect|in|for|to|from|since|by|cost)))",
    re.IGNORECASE,
)
# "it" without a referent: "is it possible", "how long does it take"; "there is".
_EXPLETIVE = re.compile(
    r"\b(?:is|was|will|would|can|could|should|does|did)\s+it\s+(?:be\s+|was\s+|is\s+)?(?:not\s+)?(?:\w+ly\s+)?"
    r"(?:(?:possible|allowed|permitted|necessary|required|true|forbidden|prohibited|likely|common|safe|ok|okay|legal"
    r"|ensured|important|advisable|recommended|mandatory|clear|known|said|stated|mentioned|enough|useful|easy|better)"
    r"\s+(?:to|that|if|for|whether)|take|rain|mean\s+that|matter|make\s+sense)\b"
    r"|\bhow (?:far|late|hot|cold|warm) (?:is|was) it\b"
    r"|\bit\s+(?:is|was|takes|took|follows|seems|appears|says|depends)\b|\bwhat time is it\b"
    r"|\b(?:is|are|was|were|will|would|can|could|should|has|have|had|does|do)\s+there\b"
    r"|\bthere\s+(?:is|are|was|were|be|will|has|have)\b",
    re.IGNORECASE,
)
_CLAUSE_BREAK = re.compile(
    r"[,;]|\b(?:and|or|but|if|when|while|because|before|after|that|which|who|unless|until|where|since|so|than)\b",
    re.IGNORECASE,
)


def resolve(question: str, rest: str, before: Before) -> str | None:
    """The question with its pronouns replaced; unchanged if none refers to something outside; None if nothing fits."""
    used: dict[str, str] = {}  # what each kind of pronoun stands for: "it" and "its" for the same
    pieces: list[str] = []
    end = 0
    for match in _references(rest):
        kind = _kind(match)
        referent = used.get(kind) or _referent(match, rest, before, list(used.values()))
        if not referent:
            return None
        used[kind] = referent
        pieces += [rest[end : match.start()], _inflected(match, referent)]
        end = match.end()
    if not used:
        return question
    completed = "".join([*pieces, rest[end:]])
    mark = question.strip()[-1]
    return f"{capitalised(completed)}{mark if mark in '.!' else '?'}"


def _kind(match: re.Match[str]) -> str:
    """Pronouns of the same kind stand for the same thing."""
    word = match.group().casefold()
    kinds = ({"it", "its"}, {"they", "them", "their", "theirs"}, {"he", "him", "his"}, {"she", "her"})
    return next((min(kind) for kind in kinds if word in kind), word)


def _references(text: str) -> Iterator[re.Match[str]]:
    """Pronouns that refer to something outside the text."""
    expletive = [match.span() for match in _EXPLETIVE.finditer(text)]
    for match in PRONOUN.finditer(text):
        inside = any(first <= match.start() < last for first, last in expletive)
        if not inside and not _has_antecedent(text[: match.start()], possessive=bool(match["possessive"])):
            yield match


def _has_antecedent(words_before: str, *, possessive: bool) -> bool:
    """Whether a pronoun may refer to something named before it in the same question.

    A possessive may refer to the subject of its own clause, other pronouns only to something in an earlier clause.
    """
    if not possessive:
        breaks = [match.start() for match in _CLAUSE_BREAK.finditer(words_before) if match.start() > 0]
        words_before = words_before[: breaks[-1]] if breaks else ""
    named = [phrase for phrase in analyse(words_before).phrases if not phrase.asked and not PRONOUN.search(phrase.text)]
    subject_asked = bool(words_before) and not analyse(words_before).inverted and len(words_before.split()) > 2
    return bool(named) and (subject_asked or analyse(words_before).inverted)


def _referent(match: re.Match[str], text: str, before: Before, used: list[str]) -> str:
    """What a pronoun stands for; "" if nothing fits."""
    after = text[match.end() :].split()
    chosen: list[str] = []
    if match["place"]:
        chosen = [_place(before)]
    elif match["that"]:
        chosen = [topic_of(before.clause)]
    else:
        name = before.name_in_answer() if before.asks_for_name else ""
        asked_where = before.clause.asked.casefold().startswith("where")
        asked_who = before.clause.asked.casefold().startswith("who")
        if match["person"] or (match["possessive"] or "").casefold() in ("his", "her"):
            chosen = [name]
        elif match["named"] or match["things"] or (not asked_where and not asked_who):
            chosen = [name if not asks_for_figure(before) else ""]
        amount = any(word.casefold().rstrip(",.") in _changes() for word in after[:2]) or _precedes_change(text, match)
        chosen += [item_of(before.clause)] if amount and not match["possessive"] else []
        chosen += entities(before.clause, plural=bool(match["things"]))
        if asked_who and not match["person"]:
            chosen.append(name)
    return next((one for one in chosen if one and one not in used), "")


def _changes() -> frozenset[str]:
    return word_lists()["changes"]


def _precedes_change(text: str, match: re.Match[str]) -> bool:
    """Whether auxiliaries and a verb of change follow the pronoun: "must it be paid", "has it been reduced"."""
    words = [word.casefold() for word in text[match.end() :].split()[:4]]
    return any(word in _changes() for word in words if word not in AUXILIARIES) and bool(words)


def _inflected(match: re.Match[str], referent: str) -> str:
    if match["place"]:
        return referent if referent.split()[0] in PREPOSITIONS else f"in {referent}"
    if match["possessive"]:
        return f"{referent}’" if referent.endswith("s") else f"{referent}'s"
    return referent


def _place(before: Before) -> str:
    """Where "there" is: the place in the answer, or the last one in the question."""
    name = before.name_in_answer() if before.asks_for_name else ""
    places = [
        phrase for phrase in before.clause.phrases if phrase.preposition in ("in", "at", "on") and not phrase.asked
    ]
    return name or (
        f"{places[-1].preposition} {places[-1].text}" if places else next(iter(entities(before.clause)), "")
    )
