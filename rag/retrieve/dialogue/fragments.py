"""Puts an English fragment ("and in 2020?", "Best Buy?") in place of the phrase that it resembles."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from rag.index.tokenize import terms
from rag.language import is_cjk
from rag.retrieve.dialogue.clause import (
    AUXILIARIES,
    IMPERATIVES,
    PERIOD,
    PREPOSITIONS,
    WH,
    YEAR,
    Clause,
    Phrase,
    analyse,
    word_lists,
)
from rag.retrieve.dialogue.pronouns import PRONOUN
from rag.retrieve.dialogue.subject import VAGUE_NOUNS, Before, capitalised, entities, item_of, uncapitalised

MIN_FIT: Final = 1.0  # of a fragment that a conjunction introduces with the phrase it replaces
MIN_BARE_FIT: Final = 2.0  # the same for a fragment that stands alone
_UNIT = re.compile(
    rf"\s+(?:in|as)\s+(?:an?\s+)?(?:[a-z]+\s+)?(?:{'|'.join(sorted(word_lists()['units']))})$",
    re.IGNORECASE,
)
_COMPARED = re.compile(r"^(?:compared|relative|in comparison)\s+(?:to|with)\b|^(?:vs\.?|versus|than)\b", re.IGNORECASE)
_EXTREME = re.compile(
    r"\b(?:(?:second|third|fourth|fifth|next|2nd|3rd)[\s-]+)?(?:highest|lowest|largest|smallest|biggest|greatest|least|most|maximum|minimum"
    r"|max|min|best|worst|oldest|youngest|newest|longest|shortest|fastest|slowest|first|last|second|third|upper|lower|mean|median|average)\b",
    re.IGNORECASE,
)
_YEAR_STEP = re.compile(
    r"\b(?:(?:previous|prior|preceding) year|year (?:before|earlier)|(?P<after>following|next) year|year after)\b",
    re.IGNORECASE,
)
_PERIOD_FILLERS: Final = frozenset(
    "in for at on the end of during as by and over fiscal year to until beginning start that this it".split()
)
_DATED = re.compile(rf"(.{{2,80}}?)\s+((?:(?:in|for|at|during)\s+)?(?:{PERIOD.pattern}))$", re.IGNORECASE)
_PART_OF_YEAR = re.compile(
    r"(?:the\s+)?(?:first|second|third|fourth|last)\s+(?:quarter|half)|q[1-4]|h[12]", re.IGNORECASE
)


def replace_condition(rest: str, before: Before) -> str | None:
    """The question before with its condition replaced by this one; None if this is not a condition."""
    match = re.match(r"(if|when|unless)\s+(?!(?:is|are|was|were|do|does|did|will|can|must)\b)", rest, re.IGNORECASE)
    old = re.search(rf"\b{match[1]}\b", before.clause.text, re.IGNORECASE) if match else None
    if not match or not old or old.start() == 0 or before.clause.asked.casefold() == match[1].casefold() or "," in rest:
        return None
    condition = analyse(before.clause.text[old.end() :])
    subject = condition.phrases[0].text if condition.phrases else ""
    subject = " ".join(subject.split()[: 2 if subject.casefold().startswith(("the ", "a ")) else 1])
    new = re.sub(r"\b(?:he|she|it|they)\b", subject, rest, count=1) if subject else rest
    return f"{before.clause.text[: old.start()]}{uncapitalised(new)}?"


def ask_of_owner(rest: str, before: Before) -> str:
    """A question for something of the owner asked about: "How many employees did Ulta have?"; else ""."""
    match = re.match(r"(how (?:many|much)|which|what)\s+([a-z][\w -]{2,60})$", rest, re.IGNORECASE)
    if not match or match[2].casefold() in ("one", "ones", "else"):
        return ""
    if before.clause.asked.split()[:1] == rest.split()[:1] and before.clause.remainder:
        return f"{rest} {before.clause.remainder}?"  # "Which systems are supported? Which browsers?"
    owners = entities(before.clause)
    if not owners:
        return ""
    period = f" in {before.clause.text[slice(*before.clause.periods[-1])]}" if before.clause.periods else ""
    verb = "did" if period else "does"
    return f"{capitalised(rest)} {verb} {owners[0]} have{period}?"


def replace_phrase(fragment: str, before: Before, *, introduced: bool) -> str | None:
    """The question before, with the phrase that the fragment resembles replaced by it; None if there is none."""
    clause = before.clause
    text = _period_swapped(clause, fragment)
    if text is None:
        for swap in (_appended, _extreme_swapped):
            if (text := swap(clause, fragment)) is not None:
                break
    threshold = MIN_FIT if introduced else MIN_BARE_FIT
    if text is None and (dated := _DATED.match(fragment)):
        # "Ford in 2022": the phrase, then the period.
        text = _phrase_swapped(clause, dated[1], threshold)
        text = None if text is None else _period_swapped(analyse(text), dated[2])
    if text is None:
        text = _phrase_swapped(clause, fragment, threshold)
    if text is None:
        return None
    return text + (
        "?" if clause.asked or clause.inverted or clause.remainder.partition(" ")[0].casefold() in AUXILIARIES else ""
    )


def _period_swapped(clause: Clause, fragment: str) -> str | None:
    """Another period in the place of the old one, or added at the end."""
    matches = list(PERIOD.finditer(fragment))
    left = PERIOD.sub(" ", fragment)
    step = _YEAR_STEP.search(fragment)
    others = {word.casefold() for word in re.findall(r"\w+", left)} if matches else set()
    if not (matches or step) or others - _PERIOD_FILLERS:
        return None
    new = fragment[matches[0].start() : matches[-1].end()] if matches else ""
    if step and clause.periods and (year := YEAR.search(clause.text)):
        new = str(int(year.group()) + (1 if step["after"] or step.group().endswith("after") else -1))
    if not clause.periods:
        words = fragment if fragment.split()[0].casefold() in PREPOSITIONS else f"in {fragment}"
        return f"{clause.text} {words}"
    # A year alone replaces the year within a date or a fiscal year; a quarter replaces the quarter.
    year_in_old = list(YEAR.finditer(clause.text))
    if YEAR.fullmatch(new) and year_in_old and "between" not in clause.text.casefold():
        last = year_in_old[-1]
        return clause.text[: last.start()] + new + clause.text[last.end() :]
    first, last_end = _same_kind(clause, new)
    old = clause.text[first:last_end]
    if _PART_OF_YEAR.fullmatch(new) and YEAR.search(old) and not _PART_OF_YEAR.search(old):
        new = f"{new} {old}"
    return clause.text[:first] + new + clause.text[last_end:]


def _same_kind(clause: Clause, new: str) -> tuple[int, int]:
    """Span of the period to replace: a quarter by a quarter, otherwise the last period."""
    has_year = bool(YEAR.search(new))
    alike = [span for span in clause.periods if bool(YEAR.search(clause.text[slice(*span)])) == has_year]
    return (alike or list(clause.periods))[-1]


def _appended(clause: Clause, fragment: str) -> str | None:
    """A unit or a comparison, added at the end."""
    if _UNIT.search(f" {fragment}"):
        words = fragment if fragment.split()[0].casefold() in ("in", "as") else f"in {fragment}"
        return f"{_UNIT.sub('', clause.text)} {words}"
    if _COMPARED.match(fragment):
        return f"{clause.text} {fragment}"
    return None


def _extreme_swapped(clause: Clause, fragment: str) -> str | None:
    """One superlative in the place of another one."""
    new, old = _EXTREME.search(fragment), _EXTREME.search(clause.text)
    bare = re.sub(r"^(?:the|its|their)\s+|\s+ones?$", "", fragment, flags=re.IGNORECASE)
    if not new or not old or new.group() != bare:
        return None
    return clause.text[: old.start()] + bare + clause.text[old.end() :]


def _phrase_swapped(clause: Clause, fragment: str, threshold: float) -> str | None:
    """The fragment in place of the phrase, or part of one, that fits it best."""
    preposition, words = _split_preposition(fragment)
    owned = re.match(r"(?:its|their|his|her|the same)\s+", words, re.IGNORECASE)
    owner = re.fullmatch(r"(.+?)(?:['’]s|(?<=s)['’])", words)
    words = (owner[1] if owner else words[owned.end() :] if owned else words).strip()
    threshold = MIN_FIT if owned or owner else threshold
    if not words or any(word.casefold() in WH | IMPERATIVES for word in words.split()[:1]) or PRONOUN.search(words):
        return None
    new = _Slot(0, len(words), words, preposition)
    fits = [(_fit(new, old), old) for old in _slots(clause) if old.text.strip()]
    best, old = max(fits, key=lambda pair: pair[0], default=(0.0, new))
    kind = new.kind
    if best < threshold or (kind == "attribute" and old.kind != "attribute"):
        if kind == "attribute" and threshold <= MIN_FIT and not preposition and (owners := entities(clause)):
            return _asked_for(words, owners[0], clause)
        if (preposition and threshold <= MIN_FIT) or preposition in ("in", "on", "at", "for"):
            return f"{clause.text} {fragment}" if preposition != "of" else None
        return None
    if re.search(r"\b(?:of|for)\b|['’]s\b", words):
        # "the revenue of Best Buy": the phrase with its complement, if both questions have one and share words.
        return _complement_swapped(clause, words)
    new_text = _with_determiner_of(old, words)
    return clause.text[: old.start] + new_text + clause.text[old.end :]


def _complement_swapped(clause: Clause, words: str) -> str | None:
    """The whole item asked for, except its period, replaced by words that share some with it; None for others."""
    item = item_of(clause)
    without_period = PERIOD.split(item)[0].rstrip()
    without_period = re.sub(r"\s+(?:in|for|during|at|on)(?:\s+the end of)?$", "", without_period)
    if not set(terms(words)) & set(terms(without_period)):
        return None
    return clause.text.replace(without_period, words, 1)


def _asked_for(words: str, entity: str, clause: Clause) -> str:
    """A question for another attribute of what was asked about: "What is the price of the pump"."""
    period = f" in {clause.text[slice(*clause.periods[-1])]}" if clause.periods else ""
    item = words if re.match(r"(?:the|a|an)\s", words, re.IGNORECASE) else f"the {words}"
    return f"What is {item} of {entity}{period}"


@dataclass(frozen=True, slots=True)
class _Slot:
    """A phrase, or part of one, that can be replaced."""

    start: int
    end: int
    text: str
    preposition: str = ""
    bonus: float = 0.0  # for parts that follow-ups replace more often
    asked: bool = False  # follows a question word, so that it has no determiner

    @property
    def determined(self) -> bool:
        """Whether it begins with an article."""
        return self.text.split()[0].casefold() in ("the", "a", "an")

    @property
    def words(self) -> list[str]:
        """Without a determiner."""
        found = self.text.split()
        return (
            found[1:]
            if found[0].casefold() in ("the", "a", "an", "this", "that", "any", "all") and len(found) > 1
            else found
        )

    @property
    def kind(self) -> str:
        """One of "code", "name", "attribute" and "role"; "" for other nouns."""
        head = self.words[-1].casefold()
        lists = word_lists()
        singular = head.removesuffix("s")
        for kind in ("attribute", "role"):
            if head in lists[f"{kind}s"] or singular in lists[f"{kind}s"]:
                return kind
        if any(character.isdigit() for character in head):
            return "code"
        capitals = sum(word[0].isupper() or is_cjk(word[0]) for word in self.words)
        return "name" if capitals * 2 > len(self.words) else ""


def _slots(clause: Clause) -> Iterator[_Slot]:
    """What a fragment may replace, in order."""
    for phrase in clause.phrases:
        if phrase.head in VAGUE_NOUNS or PERIOD.fullmatch(phrase.text):
            continue
        if phrase.owner:
            yield _Slot(phrase.start, phrase.start + len(phrase.owner), phrase.owner, "", 0.3)
            yield _Slot(phrase.end - len(phrase.item), phrase.end, phrase.item, phrase.preposition, 0.3)
            continue
        bonus = 0.0 if phrase.asked else 0.2
        yield _Slot(phrase.start, phrase.end, phrase.text, phrase.preposition, bonus, phrase.asked)
        yield from _parts(phrase)


def _parts(phrase: Phrase) -> Iterator[_Slot]:
    """A code or a name before a noun ("X200" of "the X200 pump"), and the noun after capital letters."""
    words = list(re.finditer(r"\S+", phrase.text))
    first = 1 if phrase.determined else 0
    named = [word for word in words[first:] if word.group()[0].isupper() or any(map(str.isdigit, word.group()))]
    if named and len(named) < len(words) - first:
        start, end = named[0].start(), named[-1].end()
        bonus = 0.3 if len(named) == 1 else 0.0
        yield _Slot(
            phrase.start + start, phrase.start + end, phrase.text[start:end], phrase.preposition, bonus, phrase.asked
        )
        if named[0] is words[first]:  # "Ulta net income", as keywords are written
            rest = named[-1].end() + 1
            yield _Slot(phrase.start + rest, phrase.end, phrase.text[rest:], phrase.preposition, 0.3, phrase.asked)


def _fit(new: _Slot, old: _Slot) -> float:
    """How well a fragment replaces a phrase, from about -2 to 6."""
    fit = old.bonus
    if new.preposition:
        fit += 1.5 if new.preposition == old.preposition else -1.0
    # The same kind of word.
    kinds: tuple[str, str] = new.kind, old.kind
    if kinds[0] == kinds[1]:
        fit += 2.0 if kinds[0] else 1.0
    elif {"name", "code"} == set(kinds):
        fit += 1.5
    elif "attribute" in kinds:
        fit -= 1.0
    elif kinds[0] in ("name", "code"):
        fit += 0.6
    # A determiner in both or in neither, and words in common.
    fit += 0.4 if new.determined == old.determined else 0.0
    same_head = (
        new.words[-1].casefold() == old.words[-1].casefold() or new.words[0].casefold() == old.words[0].casefold()
    )
    return fit + (2.0 if same_head and new.text.casefold() != old.text.casefold() else 0.0)


def _split_preposition(fragment: str) -> tuple[str, str]:
    first, _, rest = fragment.partition(" ")
    return (first.casefold(), rest) if first.casefold() in PREPOSITIONS and rest else ("", fragment)


def _with_determiner_of(old: _Slot, words: str) -> str:
    """The words with the old phrase's determiner, unless they have one or are a name."""
    determiner = re.match(r"(?:the|a|an)\s+", old.text, re.IGNORECASE)
    if old.asked:
        return re.sub(r"^(?:the|a|an)\s+", "", words, flags=re.IGNORECASE)
    if (
        not determiner
        or re.match(r"(?:the|a|an|my|your|our)\s", words, re.IGNORECASE)
        or words[0].isupper()
        or words[0].isdigit()
    ):
        return words
    return f"{determiner.group()}{words}"
