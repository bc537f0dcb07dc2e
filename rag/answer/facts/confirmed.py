"""Yes or no to "Is KPMG the auditor?", "Is Microsoft headquartered in Redmond?": by the fact that the document states.

The question is turned into one for the fact, "Who is the auditor?", and what is found is compared with the name.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from rag.index.tokenize import terms

_HOLDS: Final = re.compile(
    r"^\W*(?i:is|was|are|were) (?P<thing>[A-Z0-9][^?]{1,60}?),? (?P<what>(?:the|an?|its|their|our) [^?]{3,120}?)\W*$"
)
_STANDS: Final = re.compile(
    r"^\W*(?:is|was|are|were) (?P<of>[^?]{1,80}?) (?P<how>headquartered|based|incorporated|listed|traded|audited)"
    r" (?:in|on|at|by|near|under the laws of) (?P<thing>[^?]{2,80}?)\W*$",
    re.IGNORECASE,
)
_QUESTIONS: Final = {
    "headquartered": "Where is {of} headquartered?",
    "based": "Where is {of} based?",
    "incorporated": "In which state is {of} incorporated?",
    "listed": "On which stock exchange is {of} listed?",
    "traded": "On which stock exchange is {of} traded?",
    "audited": "Who audited {of}?",
}
_HAN: Final = re.compile(r"^(?P<what>[^？?是]{2,30})是(?P<thing>[^？?谁什哪]{2,20})吗[？?\s]*$")
_FORMS: Final = frozenset(
    term
    for word in "inc corp corporation company co ltd plc llc llp lp the of state city mr ms mrs dr".split()
    for term in terms(word)
)


@dataclass(frozen=True, slots=True)
class Claimed:
    """What a question wants confirmed."""

    question: str  # for the fact
    thing: str  # what the fact is said to be
    decides: bool  # whether another value denies it: there is one auditor, but a place may be called by many names


def claimed(question: str) -> Claimed | None:
    """What the question wants confirmed; None if it asks for something else."""
    text = " ".join(question.split())
    if match := _HAN.match(text):
        return Claimed(f"{match['what']}是谁？", match["thing"], decides=True)
    if match := _STANDS.match(text):
        how = match["how"].lower()
        return Claimed(_QUESTIONS[how].format(of=match["of"]), match["thing"], decides=how == "audited")
    if match := _HOLDS.match(text):
        return Claimed(f"Who is {match['what']}?", match["thing"], decides=True)
    return None


def is_confirmed(claim: Claimed, values: tuple[str, ...], *, certain: bool) -> bool | None:
    """Whether what a document states is what the question says; None if that cannot be told."""
    said = set(terms(claim.thing)) - _FORMS
    if not said or len(values) != 1:
        return None
    stated = set(terms(values[0])) - _FORMS
    if said <= stated:
        return True
    return False if claim.decides and certain and said.isdisjoint(stated) else None
