"""Yes or no, if a sentence decides it: it says what is asked, or denies it, without a condition."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from rag.answer.phrases.kind import content
from rag.answer.phrases.negated import count_denials
from rag.index.tokenize import terms
from rag.language import mainly_chinese
from rag.reader import ANSWERABLE, Evidence
from rag.settings import PhraseSettings

_CLAUSES: Final = re.compile(
    r"[,;:，；：]\s*|\s(?=(?:but|however|although|whereas|while)\b)|(?=但|然而|不过)", re.IGNORECASE
)
_CONDITIONS: Final = re.compile(
    r"\b(?:if|unless|except|only|provided that|subject to|depending|whether|until)\b|如果|若|除非|仅"
    r"|只有|只能|视.{0,6}而定|是否|但书",
    re.IGNORECASE,
)
_POSSIBILITY: Final = re.compile(
    r"\b(?:might|could|possibly|perhaps|may|likely|expects?|plans?)\b|可能|或许|也许|预计|计划|拟", re.IGNORECASE
)
_PERMISSION: Final = re.compile(
    r"^\W*(?:may|can|could|is|are|am)\b.*\b(?:allowed|permitted|may|can)\b|^\W*(?:may|can)\b|可以|允许"
    r"|能否|可否",
    re.IGNORECASE,
)
_MAY: Final = re.compile(r"^\W*(?:can|may|could|must|should)\b(?!.*\bbe \w+)", re.IGNORECASE)
_ALLOWED: Final = re.compile(r"\b(?:allowed|permitted)\b", re.IGNORECASE)
_FORBIDS: Final = re.compile(r"\bthere (?:must|may|shall|can) be no\b", re.IGNORECASE)
_OPPOSITES: Final = tuple(
    (frozenset(a.split()), frozenset(b.split()))
    for a, b in (
        ("increas rise rose grew grow growth higher", "decreas fall fell declin drop lower reduc shrink shrank"),
        ("open", "close"),
        ("includ cover contain", "exclud omit"),
        ("allow permit authori", "prohibit forbid forbidden ban bann disallow"),
        ("approv accept adopt pass", "reject defeat refus disapprov postpon defer withdr"),
        ("win won", "lose lost"),
        ("profit gain", "loss"),
        ("succe", "fail"),
        ("complet finish", "abandon cancel"),
        ("begin began start commenc", "end ended finish terminat"),
        ("增加 上升 增长 提高 上涨", "减少 下降 降低 下跌 下滑"),
        ("包括 包含 涵盖 承保", "排除 除外 不含"),
        ("允许 可以 准许", "禁止 严禁 不得"),
        ("批准 通过 同意 赞成", "否决 反对 驳回 拒绝"),
        ("盈利 获利", "亏损"),
    )
)
_PARTICIPLE: Final = re.compile(r"\b[A-Za-z]{3,}ed\b")
_DOES: Final = re.compile(r"^\W*(?:did|does|do)\b", re.IGNORECASE)
_WORDS: Final = re.compile(r"(?<![\w-])(?!(?:have|any|ever|still|also|their|your|make|take)\b)[a-z]{4,}")  # no names
_VOTES: Final = re.compile(r"(?:同意|赞成|反对|弃权)[:：为]?\s?\d+\s?[票户人名位]?")  # counts, which decide nothing
_LAST_PREPOSITION: Final = re.compile(r"\s(?:in|of|from|by|at|for|under|with|to|on|during|as|over)\s[^,?]{1,80}$")
_ENDS: Final = re.compile(r"[.。!！;；]\W*$")
_STEM: Final = 5  # letters that forms of a word must share: approved, approval


@dataclass(frozen=True, slots=True)
class Decision:
    """What a sentence decides."""

    yes: bool
    evidence: Evidence
    confidence: float  # 0..1: share of the question that the sentence repeats


def yes_or_no(question: str, *, yes: bool) -> str:
    """The answer in the language of the question."""
    words = ("是", "否") if mainly_chinese(question) else ("Yes", "No")
    return words[0 if yes else 1]


def decide(
    question: str, evidence: Sequence[Evidence], weight: Callable[[str], float], settings: PhraseSettings
) -> Decision | None:
    """The answer from the best sentence that repeats enough of the question; None if none decides it.

    `weight`: the inverse document frequency of a term.
    """
    best: Decision | None = None
    for found in evidence[: settings.deciding_sentences]:
        told = _VOTES.sub("", found.text)
        wanted = _without_permission(question, told)
        asked = list(dict.fromkeys(terms(content(wanted))))
        total = sum(map(weight, asked))
        if found.answerability < ANSWERABLE or total <= 0 or not _ENDS.search(told):  # a row has no verb
            continue
        if mainly_chinese(told) != mainly_chinese(question):  # their words cannot be compared
            continue
        clause, share, opposed = _best_clause(told, asked, _ending(wanted), weight, total)
        if share < settings.decided_share or _is_open(question, clause) or not _holds_verb(wanted, told):
            continue
        if _MAY.search(question) and not _begins_with(asked[0], asked[1:], told):
            continue
        denials = count_denials(clause) + opposed + count_denials(content(question))
        if best is None or (share, _same_words(question, found)) > (
            best.confidence,
            _same_words(question, best.evidence),
        ):
            best = Decision(denials % 2 == 0, found, min(share, 1.0))
    return best


def _begins_with(subject: str, others: Sequence[str], sentence: str) -> bool:
    """Whether whoever may do something comes before most of what they may do: "The leader may overrule the board"."""
    said = terms(sentence)
    places = {term: next((n for n, word in enumerate(said) if holds({word}, term)), -1) for term in (subject, *others)}
    before = [term for term in others if 0 <= places[term] < places[subject]]
    held = sum(places[term] >= 0 for term in others)
    return mainly_chinese(sentence) or not before or 2 * len(before) < held


def _same_words(question: str, found: Evidence) -> int:
    """How many words of a question a sentence has in the same form: "/bin" is not "/usr/bin"."""
    asked, said = (set(text.lower().replace("?", " ").rstrip(". ").split()) for text in (question, found.text))
    return len(asked & said)


def _without_permission(question: str, sentence: str) -> str:
    """The question without "allowed", if the sentence forbids in other words: "There must be no pets"."""
    return _ALLOWED.sub(" ", question) if _FORBIDS.search(sentence) else question


def _holds_verb(question: str, sentence: str) -> bool:
    """Whether the sentence has the participle in the question ("approved") and its last term, or their opposites.

    What follows the last preposition does not count: "open to new members", "in 2023".
    """
    text = content(question)
    wanted = [*(word.lower() for word in _PARTICIPLE.findall(text)[-1:]), *_ending(question)]
    if _DOES.search(question):  # any of its words may be the verb: "Did the company repurchase shares?"
        wanted += [term for word in _WORDS.findall(_LAST_PREPOSITION.sub("", text)) for term in terms(word)]
    held = set(terms(sentence))
    return all(holds(held, one) or opposite(held, one) for one in wanted)


def _ending(question: str) -> list[str]:
    """The last term of a question, without what follows its last preposition: usually its verb."""
    return terms(_LAST_PREPOSITION.sub("", content(question)))[-1:]


def _best_clause(
    sentence: str, asked: Sequence[str], ending: Sequence[str], weight: Callable[[str], float], total: float
) -> tuple[str, float, int]:
    """The part of a sentence that repeats most of the question, the share it repeats, and how many words it reverses.

    If any part has what the question ends with, it is one of those, because what they say about the rest counts. Text
    before a clause counts half: it often names what the clause is about.
    """
    parts = [part for part in _CLAUSES.split(sentence) if part and part.strip()]
    clauses = parts if len(parts) > 1 else [sentence]
    whole = set(terms(sentence))
    held = [set(terms(part)) for part in clauses]
    deciding = [part for part, own in zip(clauses, held, strict=True) if all(holds(own, one) for one in ending)]
    clauses = deciding or clauses
    best = ("", 0.0, 0)
    for clause in clauses:
        own = set(terms(clause))
        share, opposed = 0.0, 0
        for term in asked:
            reverse = opposite(own, term)
            if holds(own, term):
                share += weight(term)
            elif reverse:
                share += weight(term)
                opposed += not count_denials(reverse)  # which is counted as a negation already
            elif holds(whole, term):
                share += weight(term) / 2
        if share / total > best[1]:
            best = (clause, share / total, opposed)
    return best


def holds(held: set[str], term: str) -> bool:
    """Whether terms include this one, or another form of it: approved, approval."""
    if term in held:
        return True
    return term.isascii() and len(term) > _STEM and any(word.startswith(term[:_STEM]) for word in held)


def opposite(held: set[str], term: str) -> str:
    """A word that means the opposite of a term of the question; "" for none."""
    for one, other in _OPPOSITES:
        for mine, theirs in ((one, other), (other, one)):
            if _starts(term, mine) and (found := next((word for word in held if _starts(word, theirs)), "")):
                return found
    return ""


def _starts(word: str, stems: frozenset[str]) -> bool:
    return any(word.startswith(stem) for stem in stems)


def _is_open(question: str, clause: str) -> bool:
    """Whether the clause states a condition, or only a possibility, that the question does not mention."""
    if _CONDITIONS.search(clause) and not _CONDITIONS.search(content(question)):
        return True
    possible = _POSSIBILITY.search(clause)
    return bool(possible) and not _POSSIBILITY.search(content(question)) and not _PERMISSION.search(question)
