"""Negations and restrictions in a claim and its evidence, and the words that they apply to."""

from __future__ import annotations

import functools
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from rag.answer.claims.align import Alignment
from rag.answer.claims.lexicon import are_opposite, are_synonyms, han_words, opposites
from rag.answer.claims.problems import Problem, conflict_between
from rag.answer.claims.tokens import Analysed, Token
from rag.records import Conflict

_NEGATORS: Final = frozenset("not no never without neither nor none nobody nothing cannot hardly scarcely".split())
_EXCLUDING: Final = frozenset("exclud refus prohibit forbid lack".split())  # stems of verbs that negate their object
_RESTRICTORS: Final = frozenset("only except solely exclusively unless".split())
_HAN_NEGATOR = re.compile("[不未无無没沒非勿莫]")
_HAN_RESTRICTOR = re.compile("仅|僅|只有|唯一|唯独|除外|除非|除了|除")
# Words in which such a character is not a negation.
_HARMLESS: Final = (
    "不同 不断 不仅 不但 不过 不久 不少 不管 不论 不良 不足 不动产 不锈钢 不等 不止 不料 不禁 不妨 不得不 不可避免"
    " 不可或缺 不列颠 不丹 不朽 不幸 不满 不安 不惜 不愧 无论 无线 无疑 无数 无穷 无锡 无人机 无形资产 无机 无产 未来"
    " 未婚 未成年 非常 非洲 非凡 非典 非遗 南非 北非 西非 东非 中非 亚非 除非 莫非 是非 没收 淹没 沉没 埋没 出没"
    " 莫斯科 莫扎特 扣除 废除 解除 消除 排除 清除 去除 拆除 删除 免除 开除 铲除 驱除 除以 除法 除夕 移除"
    " 无锡 不时 不再是唯一 只是 不管 不限于 莫里 莫尔 莫罗 莫桑比克 不莱梅 差不多 了不起 对不起 无烟 非政府 非营利"
    " 非流动 非线性 无形 无限 无偿 无线电 无神论 无政府 未免 不得已 非正式 非法"
).split()
_MASK = re.compile("|".join(sorted(map(re.escape, _HARMLESS), key=len, reverse=True)))
DENYING: Final = re.compile(
    r"\b(?:fail(?:s|ed|ing)?|lack(?:s|ed|ing)?|unable|absence|refus\w+|den(?:y|ied|ies)|prohibit\w*|prevent\w*"
    r"|avoid\w*|remov\w*|without|omit\w*|free (?:of|from)|rather than|instead of|exclud\w+|other than|exempt)\b"
    r"|缺乏|去掉|移除|没有|拒绝|禁止|无法|未能|避免|免于|而非|排除|除外|不包括",
    re.IGNORECASE,
)
_NEGATING: Final = frozenset("不得 不能 无法 不准 不必 无需".split())  # though they have opposites
_DEMANDS = re.compile(r"\b(?:must|requir\w+|needs?|only|subject to|shall)\b|须|必须|需|应", re.IGNORECASE)
_EXCEPTING = re.compile(r"except|unless|除", re.IGNORECASE)
_ISOLATED: Final = 2  # tokens of an edit that only adds or drops a restriction
_NEAR_VERBATIM: Final = 0.7  # share of the claim's tokens in order, from which on a dropped restriction counts
_TARGETS = 3  # content tokens after a negation that it may apply to
_HAN_TARGETS = 4  # Chinese characters


@dataclass(frozen=True, slots=True)
class Negation:
    """A negation or restriction, and what it applies to."""

    token: int  # index of its token
    restricts: bool  # "only", "except", rather than "not"
    targets: tuple[str, ...]  # keys of the content tokens after it, nearest first


def find_negations(analysed: Analysed) -> list[Negation]:
    """All negations and restrictions of a text."""
    masked = _MASK.sub(lambda match: "\uffff" * len(match[0]), analysed.text)
    for word in opposites():
        if (
            word not in _NEGATING
            and len(word) > 1
            and _HAN_NEGATOR.match(word)
            and word in masked
            and word[1:] not in opposites()
        ):
            masked = masked.replace(word, "\uffff" * len(word))
    found: list[Negation] = []
    for index, token in enumerate(analysed.tokens):
        kind = _kind(token, masked)
        if kind is not None:
            found.append(Negation(index, kind, _targets(analysed, index)))
    return found


def _kind(token: Token, masked: str) -> bool | None:
    """False for a negation, True for a restriction, None for any other token."""
    if token.quantity >= 0:
        return None
    if token.is_han:
        if _HAN_NEGATOR.match(masked, token.start):
            return False
        return True if _HAN_RESTRICTOR.match(masked, token.start) else None
    word = token.text.lower()
    if word in _NEGATORS or token.key == "not" or token.key in _EXCLUDING:
        return False
    return True if word in _RESTRICTORS else None


def _targets(analysed: Analysed, index: int) -> tuple[str, ...]:
    """The keys of the content tokens behind a negation, in its clause."""
    found: list[str] = []
    end = analysed.tokens[index].end
    for token in analysed.tokens[index + 1 : index + 12]:
        if found and analysed.breaks_between(end, token.start):
            break
        end = token.end
        if token.is_content or token.quantity >= 0:
            found.append(token.key or f"#{token.quantity}")
        if len(found) == (_HAN_TARGETS if token.is_han else _TARGETS):
            break
    return tuple(found)


def negation_problems(alignment: Alignment) -> Iterator[Problem]:
    """Negations and restrictions that only the claim has, or that only its evidence has about what the claim says."""
    claim = find_negations(alignment.claim)
    evidence = _evidence_negations(alignment)
    kept = set(alignment.same.values())
    open_claim = [one for one in claim if one.token not in alignment.same and one.token < len(alignment.tokens)]
    open_evidence = [one for one in evidence if one.token not in kept]
    for alike in (_alike, functools.partial(_same_place, alignment)):  # first those that apply to the same words
        for said in list(open_claim):
            partner = next((one for one in open_evidence if alike(said, one)), None)
            if partner:
                open_evidence.remove(partner)
                open_claim.remove(said)
    if _is_double(alignment, open_evidence) and not open_claim:
        return
    for said in open_claim:
        if not _said_otherwise(alignment, said):
            yield Problem("negation", _conflict_of(alignment, said))
    for written in open_evidence:
        if _dropped(alignment, written, bool(open_claim)):
            place = alignment.evidence[written.token]
            position = _position_of(alignment, written)
            yield Problem("negation", conflict_between(alignment.tokens[position], place))


def is_flipped(alignment: Alignment, position: int, place: int) -> bool:
    """Whether exactly one of a claim's token and the evidence's token is negated, so that opposites agree."""
    said = any(position - 4 <= one.token < position for one in find_negations(alignment.claim) if not one.restricts)
    written = any(place - 4 <= one.token < place for one in _evidence_negations(alignment) if not one.restricts)
    return said != written


def _evidence_negations(alignment: Alignment) -> list[Negation]:
    """The negations of the evidence, counted in its tokens."""
    found: list[Negation] = []
    start = 0
    for segment in alignment.segments:
        for one in find_negations(segment.analysed):
            if start + one.token < len(alignment.evidence):
                found.append(Negation(start + one.token, one.restricts, one.targets))
        start += len(segment.analysed.tokens)
    return found


def _alike(said: Negation, written: Negation) -> bool:
    """Whether two negations apply to the same thing."""
    return said.restricts == written.restricts and any(
        are_synonyms(one, other) for one in said.targets for other in written.targets
    )


def _same_place(alignment: Alignment, said: Negation, written: Negation) -> bool:
    """Whether two negations stand in sentences that are laid beside one another."""
    nearest = min(alignment.same, key=lambda n: abs(n - said.token), default=None)
    if nearest is None or said.restricts != written.restricts:
        return False
    return alignment.evidence[alignment.same[nearest]].segment is alignment.evidence[written.token].segment


def _is_double(alignment: Alignment, written: list[Negation]) -> bool:
    """Whether the evidence negates twice what the claim requires: "not without consent" is "consent is required"."""
    denying = [alignment.evidence[one.token].segment for one in written if not one.restricts]
    return any(denying.count(one) == 2 for one in denying) and _DEMANDS.search(alignment.claim.text) is not None


def _said_otherwise(alignment: Alignment, said: Negation) -> bool:
    """Whether the evidence negates without a negation: by an opposite ("unprofitable") or a verb ("failed to")."""
    if said.restricts:
        return False
    claim = alignment.claim.text.lower()
    nearest = min(alignment.same, key=lambda n: abs(n - said.token), default=None)
    beside = [alignment.evidence[alignment.same[nearest]].segment] if nearest is not None else alignment.segments
    for segment in beside:
        if any(match[0].lower() not in claim for match in DENYING.finditer(segment.text)):
            return True
    start = alignment.tokens[said.token].end
    words = {word for _, word in han_words(alignment.claim.text[start : start + 8])}
    words |= {target for target in said.targets[:1] if len(target) > 1}
    written = {word for segment in beside for _, word in han_words(segment.text)}
    written |= alignment.evidence_keys - {token.key for token in alignment.tokens}
    return any(are_opposite(one, other) for one in words for other in written if len(other) > 1)


def _conflict_of(alignment: Alignment, said: Negation) -> Conflict | None:
    """The claim's negation, compared with what it negates in the evidence."""
    for target in said.targets:
        for placed in alignment.evidence:
            if placed.token.key == target and placed.token.is_content:
                return conflict_between(alignment.tokens[said.token], placed)
    return None


def _dropped(alignment: Alignment, written: Negation, claim_denies: bool) -> bool:
    """Whether the claim says, without the negation, what the evidence negates."""
    keys = [token.key for token in alignment.tokens]
    kept = {alignment.evidence[place].token.start for place in alignment.same.values()}
    behind = alignment.evidence[written.token + 1 : written.token + 8]
    targets = [
        one for one in behind if one.token.key in written.targets[: 2 if behind and behind[0].token.is_han else 1]
    ]
    aligned = bool(targets) and all(one.token.start in kept or one.token.key in keys for one in targets)
    if not aligned:
        return False
    if written.restricts and _EXCEPTING.match(alignment.evidence[written.token].token.text):
        return not any(one.restricts for one in find_negations(alignment.claim)) and not DENYING.search(
            alignment.claim.text
        )
    if written.restricts:
        return alignment.in_order >= _NEAR_VERBATIM and _is_isolated(alignment, written.token)
    written_text = alignment.evidence[written.token].segment.text.lower()
    if any(match[0].lower() not in written_text for match in DENYING.finditer(alignment.claim.text)) or (
        claim_denies and alignment.in_order < _NEAR_VERBATIM
    ):
        return False
    return not any(are_opposite(target, key) for target in written.targets[:2] for key in keys)


def _is_isolated(alignment: Alignment, place: int) -> bool:
    """Whether an edit drops little besides this token."""
    return any(
        edit.evidence[0] <= place < edit.evidence[1] and edit.evidence[1] - edit.evidence[0] <= _ISOLATED
        for edit in alignment.edits
    )


def _position_of(alignment: Alignment, written: Negation) -> int:
    """The claim's token for what a negation of the evidence bears on."""
    return next((n for n, token in enumerate(alignment.tokens) if token.key in written.targets), 0)
