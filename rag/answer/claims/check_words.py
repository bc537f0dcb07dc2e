"""Whether the names, directions and comparisons in a claim agree with its evidence."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable, Iterator
from typing import Final

from rag.answer.claims.align import EXTRA_TOKENS, Alignment, Edit
from rag.answer.claims.lexicon import are_exclusive, are_opposite, are_synonyms, han_words, opposites, tells_change
from rag.answer.claims.names import begins_han_name, find_names, is_common, is_place, looks_like_han_name
from rag.answer.claims.polarity import find_negations, is_flipped
from rag.answer.claims.problems import Problem, conflict_between, nearby, nearby_evidence
from rag.answer.claims.sources import SourceIndex
from rag.answer.claims.tokens import Analysed, Token
from rag.language import find_han

_NEAR_VERBATIM: Final = 0.6  # share of the claim's tokens in order, from which on edits are compared word by word
_VERBATIM: Final = 0.75  # the same, from which a Chinese word with another one in its place is no synonym
_CLEARLY: Final = 2  # words that the opposite must share beyond those the same word shares
_AND: Final = frozenset("and or & 和 与 及 或".split())
_PASSIVE: Final = frozenset(["by", "被", "由", "受"])
_MODALS: Final = frozenset({"may", "can", "must", "shall"})
_OPENING: Final = 3  # tokens of a claim that may name what it is about
_SHORT: Final = 4  # tokens of an edit whose two sides stand for one another
_COMMON_PREFIX: Final = 4  # letters shared by "China" and "Chinese"
# Only around the dots of a foreign name; otherwise its boundaries cannot be told from the words next to it.
_DOTTED_NAME = re.compile("[\u4e00-\u9fff](?:[·•][\u4e00-\u9fff]{1,6}?){0,2}[·•][\u4e00-\u9fff]{1,2}")
_ACRONYM = re.compile(r"[A-Z]{2,6}\Z")


def name_problems(alignment: Alignment, index: SourceIndex) -> Iterator[Problem]:
    """Names that the evidence lacks, and capitalised words that differ from those in their place."""
    lacking = [n for n in find_names(alignment.claim) if n < len(alignment.tokens) and not _has_name(alignment, n)]
    replaced = _replaced_capitals(alignment)
    rivals = _rival_names(alignment) if lacking else []
    for position in dict.fromkeys([*lacking, *replaced]):
        token, edit = alignment.tokens[position], alignment.edit_at(position)
        places = alignment.in_place(edit) if edit else []
        in_place = [place for place in rivals if place in places]
        if in_place or (position in replaced and places):
            yield Problem("name", conflict_between(token, alignment.evidence[[*in_place, *places][0]]))
        elif not _may_be_added(alignment, position, places, index) or (rivals and alignment.in_order > _NEAR_VERBATIM):
            rival = alignment.evidence[rivals[0]] if len(rivals) == 1 else None
            yield Problem("name", conflict_between(token, rival) if rival else None)


def _may_be_added(alignment: Alignment, position: int, places: list[int], index: SourceIndex) -> bool:
    """Whether a name may be said although the evidence lacks it: it stands for "the Company", or begins the claim."""
    if not _named_elsewhere(alignment, alignment.tokens[position].text, index):
        return False
    words = any(not alignment.evidence[place].quantity for place in places)
    return words or alignment.in_order < _VERBATIM or position < _OPENING


def han_name_problems(alignment: Alignment, index: SourceIndex) -> Iterator[Problem]:
    """Chinese names of people that the evidence lacks, and that its source only mentions later or elsewhere."""
    if not alignment.segments:
        return
    written = _joined(segment.text for segment in alignment.segments)
    before = _joined(index.text_until(segment) for segment in alignment.segments)
    # A foreign name, such as 安娜·凯勒.
    for match in _DOTTED_NAME.finditer(alignment.claim.text):
        if match[0] not in (written if alignment.in_order >= _VERBATIM else before):
            yield Problem("name", None)
    for first, second in itertools.pairwise(alignment.tokens):
        pair = first.text + second.text
        if not (first.is_han and second.is_han and begins_han_name(pair)) or pair in written or pair in before:
            continue
        if any(pair in segment.text for segment in index.segments):
            yield Problem("name", None)


def _joined(texts: Iterable[str]) -> str:
    """Texts without white space, which may stand within Chinese names."""
    return "".join("".join(text.split()) for text in texts)


def _rival_names(alignment: Alignment) -> list[int]:
    """Places of names in the evidence that the claim does not mention."""
    claimed = {token.key for token in alignment.tokens}
    found: list[int] = []
    start = 0
    for segment in alignment.segments:
        names = [start + n for n in find_names(segment.analysed)]
        found += [n for n in names if n < len(alignment.evidence) and alignment.evidence[n].token.key not in claimed]
        start += len(segment.analysed.tokens)
    return found


def _has_name(alignment: Alignment, position: int) -> bool:
    """Whether the evidence contains a name in full, as an acronym, or as its adjective."""
    token = alignment.tokens[position]
    if token.key in alignment.evidence_keys:
        return True
    if is_common(token) and any(are_synonyms(token.key, key) for key in alignment.evidence_keys):
        return True
    words = [placed.token.text for placed in alignment.evidence if placed.token.text[:1].isupper()]
    if _ACRONYM.match(token.text):
        return token.text in "".join(word[0] for word in words)
    if any(_ACRONYM.match(word) and token.text[0] in word for word in words):
        initials = "".join(one.text[0] for one in alignment.tokens if one.text[:1].isupper())
        return any(_ACRONYM.match(word) and word in initials for word in words)
    prefix = token.text[:_COMMON_PREFIX].lower()
    return len(prefix) == _COMMON_PREFIX and any(
        word.lower().startswith(prefix) and abs(len(word) - len(token.text)) <= _COMMON_PREFIX for word in words
    )


def _replaced_capitals(alignment: Alignment) -> list[int]:
    """Capitalised words that replace others, even if the evidence contains them elsewhere."""
    found: list[int] = []
    if alignment.in_order < _NEAR_VERBATIM:
        return found
    free = {token.key for n, token in enumerate(alignment.tokens) if n not in alignment.same}
    for edit in alignment.edits:
        written = [alignment.evidence[place].token for place in alignment.in_place(edit)]
        lost = [token for token in written if _is_capital(token) and token.key not in free]
        if not lost or edit.claim[1] - edit.claim[0] > _SHORT or len(written) > _SHORT + EXTRA_TOKENS:
            continue
        for position in range(*edit.claim):
            token = alignment.tokens[position]
            alike = any(are_synonyms(token.key, other.key) for other in written) or _moved(alignment, edit, position)
            capital = _is_capital(token) or (position > 0 and token.quantity < 0 and token.text[:1].isupper())
            if capital and not alike and (position or alignment.in_order >= _VERBATIM):
                found.append(position)
    return found


def _moved(alignment: Alignment, edit: Edit, position: int) -> bool:
    """Whether a word of an edit is elsewhere in the same segment, next to what surrounds it in the claim."""
    places = alignment.in_place(edit)
    if not places:
        return False
    segment, kept = alignment.evidence[places[0]].segment, set(alignment.same.values())
    around = nearby(alignment, position)
    here = max(len(around & nearby_evidence(alignment, place)) for place in places)
    return any(
        placed.token.key == alignment.tokens[position].key
        and placed.segment is segment
        and place not in kept
        and len(around & nearby_evidence(alignment, place)) > here
        for place, placed in enumerate(alignment.evidence)
    )


def _is_capital(token: Token) -> bool:
    denies = token.key in ("no", "non", "not", "never", "all", "both")
    return token.quantity < 0 and token.text[:1].isupper() and token.is_content and not denies


def _named_elsewhere(alignment: Alignment, name: str, index: SourceIndex) -> bool:
    """Whether the source names it before its evidence ends: "the Company" or "she" may stand for it there."""
    pattern = re.compile(rf"(?<!\w){re.escape(name)}(?!\w)", re.IGNORECASE)
    return any(pattern.search(index.text_until(segment)) for segment in alignment.segments)


def opposite_problems(alignment: Alignment) -> Iterator[Problem]:
    """Words of the claim that replace their opposite in the evidence."""
    claim = _directions(alignment.claim, 0)
    evidence: list[tuple[int, str]] = []
    start = 0
    for segment in alignment.segments:
        evidence += [(n, word) for n, word in _directions(segment.analysed, start) if n < len(alignment.evidence)]
        start += len(segment.analysed.tokens)
    kept = set(alignment.same.values())
    free = [(place, word) for place, word in evidence if any(n not in kept for n in _extent(place, word))]
    for position, word in claim:
        if all(n in alignment.same for n in _extent(position, word)) or position >= len(alignment.tokens):
            continue
        against = [place for place, other in free if are_opposite(word, other)]
        alike = [place for place, other in evidence if are_synonyms(word, other)]
        if word in _MODALS and any(one.targets for one in find_negations(alignment.claim)):
            continue  # "may not" is "shall not"
        changed = next((n for n in _extent(position, word) if n not in alignment.same), position)
        place = _opposed(alignment, changed, against, alike)
        if place is not None and not is_flipped(alignment, position, place):
            yield Problem("opposite", conflict_between(alignment.tokens[position], alignment.evidence[place]))


def _extent(start: int, word: str) -> range:
    """The tokens that a direction word takes up: a Chinese one has a token for each character."""
    return range(start, start + (1 + word.count(" ") if word.isascii() else len(word)))


def _directions(analysed: Analysed, offset: int) -> list[tuple[int, str]]:
    """(token, word) of the words that have an opposite."""
    table = opposites()
    found = [
        (n + offset, token.key or "first")
        for n, token in enumerate(analysed.tokens)
        if not token.is_han
        and (token.key in table or token.key.startswith(("un", "in", "im")) or token.text.lower() == "first")
    ]
    found += [
        (n + offset, phrase)
        for n, (token, following) in enumerate(itertools.pairwise(analysed.tokens))
        if (phrase := f"{token.key} {following.key}") in table
    ]
    by_start = {token.start: n for n, token in enumerate(analysed.tokens)}
    return found + [
        (by_start[start] + offset, word)
        for start, word in han_words(analysed.text)
        if word in table and start in by_start
    ]


def _opposed(alignment: Alignment, position: int, against: list[int], alike: list[int]) -> int | None:
    """The place of the opposite that the claim's word replaces, if there is one."""
    if not against:
        return None
    edit = alignment.edit_at(position)
    in_place = [place for place in against if edit and edit.evidence[0] <= place < edit.evidence[1]]
    kept = set(alignment.same.values())
    free = [place for place in alike if place not in kept]
    if in_place and not free:
        return in_place[0]
    around = nearby(alignment, position)
    closest = max(against, key=lambda place: len(around & nearby_evidence(alignment, place)))
    common = len(around & nearby_evidence(alignment, closest))
    if not alike:
        return closest if common else None
    same = max(len(around & nearby_evidence(alignment, place)) for place in alike)
    exact = closest in in_place and edit is not None and edit.claim[1] - edit.claim[0] <= _SHORT
    margin = 0 if exact else 1 if tells_change(alignment.tokens[position].key) else _CLEARLY
    return closest if common >= same + margin else None


def han_problems(alignment: Alignment) -> Iterator[Problem]:
    """Chinese words that replace others: opposite characters, other names, words that are not synonyms."""
    for edit in alignment.edits:
        claim = "".join(token.text for token in alignment.tokens[slice(*edit.claim)])
        evidence = "".join(
            alignment.evidence[place].token.text
            for place in alignment.in_place(edit)
            if not alignment.evidence[place].quantity
        )
        if not find_han(claim) or not find_han(evidence) or alignment.in_order < _NEAR_VERBATIM:
            continue
        if any(alignment.tokens[n].quantity >= 0 for n in range(*edit.claim)):
            continue
        what = _han_difference(alignment, edit, claim, evidence)
        first = alignment.evidence[edit.evidence[0]]
        if what and not is_flipped(alignment, edit.claim[0], edit.evidence[0]):
            yield Problem(what, conflict_between(alignment.tokens[edit.claim[0]], first))


def _han_difference(alignment: Alignment, edit: Edit, claim: str, evidence: str) -> str:
    """The kind of problem that an edit between Chinese texts is; "" for none."""
    short = len(claim) <= _SHORT and len(evidence) <= _SHORT
    if short and any(are_opposite(one, other) for one in claim for other in evidence):
        return "opposite"
    if short and _is_other_place(alignment, edit):
        return "name"
    if _is_reworded(alignment, edit, claim):
        return ""
    before, after = edit.claim[0], edit.claim[1]
    around = [
        alignment.claim.text[alignment.tokens[max(before - left, 0)].start : alignment.tokens[after - 1].end]
        for left in range(3)
    ]
    if looks_like_han_name(evidence) or (len(evidence) > 1 and any(map(looks_like_han_name, around))):
        return "name"
    return "word" if alignment.in_order >= _VERBATIM and min(len(claim), len(evidence)) > 1 else ""


def _is_other_place(alignment: Alignment, edit: Edit) -> bool:
    """Whether one known place or company replaces another."""
    text, start, end = alignment.claim.text, edit.claim[0], edit.claim[1] - 1
    first, last = alignment.tokens[start].start, alignment.tokens[end].end
    place = alignment.evidence[edit.evidence[0]]
    written = place.segment.text
    offset, until = place.token.start, alignment.evidence[edit.evidence[1] - 1].token.end
    return any(
        is_place(text[max(0, first - left) : last + right]) and is_place(written[max(0, offset - left) : until + right])
        for left in range(3)
        for right in range(3)
    )


def _is_reworded(alignment: Alignment, edit: Edit, claim: str) -> bool:
    """Whether a Chinese edit is a synonym, or is elsewhere in the evidence."""
    moved = len(claim) > 1 and any(claim in segment.text for segment in alignment.segments)
    if moved or not any(alignment.tokens[n].is_content for n in range(*edit.claim)):
        return True
    said = _window(alignment.claim, edit.claim, alignment.tokens[edit.claim[0]].start)
    first, last = alignment.evidence[edit.evidence[0]], alignment.evidence[edit.evidence[1] - 1]
    written = first.segment.text[max(0, first.token.start - 1) : last.token.end + 1]
    return any(are_synonyms(one, other) for _, one in han_words(said) for _, other in han_words(written))


def _window(analysed: Analysed, span: tuple[int, int], start: int) -> str:
    """The text of an edit and one character on each side."""
    return analysed.text[max(0, start - 1) : analysed.tokens[span[1] - 1].end + 1]


def word_problems(alignment: Alignment, index: SourceIndex) -> Iterator[Problem]:
    """English words that replace others and are not synonyms, in a claim that otherwise follows its evidence."""
    if alignment.in_order < _NEAR_VERBATIM:
        return
    for edit in alignment.edits:
        places = alignment.in_place(edit)
        if edit.claim[1] - edit.claim[0] != 1 or len(places) != 1:
            continue
        said, written = alignment.tokens[edit.claim[0]], alignment.evidence[places[0]].token
        if not _are_words(said, written) or are_synonyms(said.key, written.key):
            continue
        if are_exclusive(said.key, written.key) and not _moved(alignment, edit, edit.claim[0]):
            yield Problem("word", conflict_between(said, alignment.evidence[places[0]]))
        elif alignment.in_order >= _VERBATIM and not _alike(said, written) and said.key not in alignment.evidence_keys:
            elsewhere = any(said.key in segment.content for segment in index.segments)
            yield from [Problem("word", None)] if elsewhere else []


def _are_words(said: Token, written: Token) -> bool:
    return all(one.quantity < 0 and not one.is_han and one.is_content for one in (said, written))


def _alike(said: Token, written: Token) -> bool:
    """Whether two words start the same, as forms of one word do."""
    return said.key[:_COMMON_PREFIX] == written.key[:_COMMON_PREFIX]


def swap_problems(alignment: Alignment) -> Iterator[Problem]:
    """Two words of the evidence that the claim swaps: "larger for A than for B"."""
    edits = [
        (edit, places[0])
        for edit in alignment.edits
        if edit.claim[1] - edit.claim[0] == 1 and len(places := alignment.in_place(edit)) == 1
    ]
    for (one, first), (other, second) in itertools.combinations(edits[:8], 2):
        exchanged = (
            alignment.claim_keys[one.claim[0]] == alignment.placed_keys[second]
            and alignment.claim_keys[other.claim[0]] == alignment.placed_keys[first]
        )
        tokens = alignment.tokens[one.claim[0]], alignment.tokens[other.claim[0]]
        between = {token.text.lower() for token in alignment.tokens[one.claim[1] : other.claim[0]]}
        alike = (tokens[0].quantity < 0) == (tokens[1].quantity < 0)
        if exchanged and alike and not between <= _AND:
            yield Problem("swap", conflict_between(tokens[0], alignment.evidence[first]))
    yield from _turned_round(alignment)


def _turned_round(alignment: Alignment) -> Iterator[Problem]:
    """Two names on both sides of the same word in reverse order, "A succeeded B", without a passive."""
    claim = [token.key for token in alignment.tokens]
    evidence = [placed.token.key for placed in alignment.evidence]
    once = [
        (position, evidence.index(key))
        for position, key in _names_of(alignment)
        if claim.count(key) == evidence.count(key) == 1
    ]
    for (one, first), (other, second) in itertools.combinations(once[:8], 2):
        said, written = alignment.tokens[one + 1 : other], alignment.evidence[second + 1 : first]
        apart = alignment.claim_clauses[one] != alignment.claim_clauses[other]
        if first < second or apart or alignment.evidence[first].segment is not alignment.evidence[second].segment:
            continue
        shared = {token.key for token in said if token.is_content} & {
            placed.token.key for placed in written if placed.token.is_content
        }
        passive = any(token.key in _PASSIVE for token in said) != any(one.token.key in _PASSIVE for one in written)
        if len(shared) > any(token.is_han for token in said) and not passive:
            yield Problem("swap", conflict_between(alignment.tokens[one], alignment.evidence[second]))


def _names_of(alignment: Alignment) -> list[tuple[int, str]]:
    """(token, key) of words in capitals and of the second character of Chinese names."""
    found: list[tuple[int, str]] = []
    for n, token in enumerate(alignment.tokens):
        capital = token.quantity < 0 and token.text[:1].isupper() and token.is_content
        surname = n and begins_han_name(alignment.tokens[n - 1].text + token.text) if token.is_han else False
        if capital or surname:
            found.append((n, token.key))
    return found
