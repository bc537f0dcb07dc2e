"""A Chinese follow-up completed from the question before it: what changed is put in its place."""

from __future__ import annotations

import functools
import re
from dataclasses import dataclass
from typing import Final

from rag.retrieve.dialogue.clause import YEAR, word_lists

MAX_CHARACTERS: Final = 300  # of a question, and of an answer, that are looked at
MAX_PREDICATE: Final = 2  # characters of a question that asks of something it does not name: 更换 in 怎么更换

_END = re.compile(r"[？?。！!，,\s]+$")
_LEAD = re.compile(
    r"^(?:(?:那么|那麼|那(?![里裡儿个家款份种座本篇些年时天位条])|还有|還有|另外|然后|而|同样的?问题[，,]?|以及|请问)[，,]?)+"
)
_ASKS_AGAIN = re.compile(r"(?:又|的话)?(?:呢|怎么样|如何|怎样)$")
_TIME = re.compile(
    r"(?:(?:19|20)\d\d|[一二][〇零九][〇零一二三四五六七八九]{2})(?:年度?|财年)(?:的?(?:第[一二三四1-4]季度|[一二三四]季度|上半年|下半年|年?[末底初]|\d{1,2}月(?:\d{1,2}日)?[末底]?))?"
    r"|(?:第[一二三四1-4]|[一二三四])季度|上半年|下半年|(?:去|今|前|上|本|次|翌|当)年(?:度|末|底|初)?(?:同期)?|(?:上|前|后|下|这|那)(?:一|两)?(?:年|季度|个月)|本期|上期|报告期"
)
_YEAR = re.compile(r"((?:19|20)\d\d)年")
_STEP = re.compile(
    r"^(?:(?P<before>前一年|上一年|上年|前年度|上一年度|上年度)|(?P<after>后一年|下一年|次年|第二年))度?$"
)
# What a question asks, and everything that belongs to its predicate.
_ASKED = re.compile(
    r"什么时候|什麼時候|何时|什么地方|什么|什麼|哪一年|哪年|哪[里儿]|哪[些个种家位一]?|谁|誰|多少|多[久长大高重远深宽快]|几(?![乎何率])|怎么|怎麼|怎样|如何|为什么|為什麼|为何|是否|能否|可否|可以|[吗嗎]$"
)
# Where the subject of a question ends.
_PREDICATE = re.compile(
    r"是(?!否)|有多|有哪|有几|有什么|什么时候|何时|哪一年|哪[里些个种家]|为什么|怎么|怎样|如何|多[少久长大高重远]|是否|能否|可以|能(?!力|源|量|耗)|会(?!计|议)|应|需要|必须|须|由(?!于)|表示|属于|用了|使用|采用"
    r"|位于|流经|生活|占(?!比|用)|比(?!例|率|亚|重)|增长|下降|上升|减少|增加|怎|为(?!期)|在哪|包括|包含|存在|提供|支付|承担|负责|适用|影响|降低|提高"
)
_PRONOUN = re.compile(
    r"(?P<person>(?<![吉其])[他她](?!人|国|项|们)|[他她]们)|(?P<thing>它们?)"
    r"|(?P<possessive>其(?![他它中次余实间])(?=[\u4e00-\u9fff]))"
    r"|(?P<named>(?:该|此|这[个家款份种座本篇条只位]|那[个家款份种座本篇条只位]|上述|本)(?P<noun>公司|企业|集团|银行|产品|设备|机器|型号|模型|药物|国家|城市|地方|建筑|作品|书|人|作者|协议|项目))"
    r"|(?P<place>那里|那裡|那儿|当地)"
)
_NOUN_PARTS = re.compile(r"[\u4e00-\u9fffA-Za-z0-9]+")
_QUESTION_WORDS = re.compile(
    r"什么时候|什么地方|什么|何时|哪一?年|哪里|哪儿|哪[些个种家位]?|谁|多少|多[久长大高重远深宽快]|几|怎么|怎样|如何|为什么|为何|是否|能否|可以|需要|提前|应该|必须|[是能要会由在被把对和跟的了过吗呢天个元名人次年月日有来去做到请]"
)
_EMPTY_START = re.compile(
    r"^(?:是|什么时候|何时|怎么|怎样|如何|为什么|为何|由谁|被谁|在哪|哪一?年|需要|应该|必须|可以|能|会|有(?:什么|哪|几|多)|多少|多[久长大高重远]|比|占|和|与|跟|同)"
)
_BARE = re.compile(
    r"^(?:是)?(?:为什么|为何|怎么会|原因|什么时候|何时|哪一?年|几时|在?哪里|在?哪儿|在?什么地方|谁|由谁|怎么|如何|怎样|多少|几个|怎么办)(?:呢)?$"
)
_EXTREME = re.compile(r"最[高低大小多少长短新旧好差快慢早晚]|第[一二三四五六七八九十]大")
_UNIT = re.compile(
    r"^(?:以|按|按照|用|换算成|折合成?)?(?:百分比|美元|人民币|欧元|日元|港元|港币|英镑|亿元|万元|公斤|千克|磅|米|英尺|百分数)(?:计|计算|表示|来算|来说)?(?:呢)?$"
)
_PREPOSITION = re.compile(r"^(在|对|对于|关于|从|向|由|按|用|给|通过)(?=.)")
_COMPARED = re.compile(r"^(?:和|与|跟|同|比|相比|较)")
_LATIN = re.compile(r"[A-Za-z][A-Za-z0-9.+-]*\d*|\d+[A-Za-z]\w*")
_TITLE = re.compile(r"《[^》]{1,40}》")
_EXPLAIN = re.compile(
    r"^(?:请)?(?:再)?(?:详细|具体|多|进一步)?(?:说说|说一下|讲讲|介绍一下|解释一下|展开说说|详细一点|具体一点|说明一下|详细说明)(?:它|这个|这一点)?$"
)


@dataclass(frozen=True, slots=True)
class _Before:
    """The question before, without its mark."""

    text: str
    answer: str
    subject: (
        str  # what it asks about, with its time: "贵州茅台2021年的营业收入"; "" where the question word comes first
    )
    entity: str  # "贵州茅台"; "" for none
    attribute: str  # "营业收入"; "" for none

    @property
    def tail(self) -> str:
        """What follows the subject."""
        return self.text[len(self.subject) :]


def complete_chinese(question: str, before: str, answer: str) -> str | None:
    """The follow-up as a question of its own; the question as it is if it stands alone; None if nothing fits."""
    text = _END.sub("", question.strip())
    lead = _LEAD.match(text)
    rest = text[lead.end() :] if lead else text
    earlier = _analyse(before, answer)
    if not rest:
        return None
    if _EXPLAIN.match(rest):
        return f"详细介绍{earlier.subject or earlier.text}。"
    if _BARE.match(rest):
        return _asked_anew(rest.removesuffix("呢"), earlier)
    again = _ASKS_AGAIN.search(rest)
    fragment = rest[: again.start()] if again else rest
    if not fragment:
        return None
    is_fragment = again is not None or (not _ASKED.search(rest) and (bool(lead) or len(rest) <= _SHORT))
    if is_fragment and not _PRONOUN.search(fragment):
        replaced = _replaced(fragment, earlier, introduced=again is not None or lead is not None)
        return replaced if replaced or again or lead else question
    if pronoun := _outer_pronoun(rest):
        return _resolved(rest, pronoun, earlier)
    if _lacks_subject(rest):
        return _with_subject(rest, earlier)
    return question


_SHORT: Final = 6  # characters up to which words without a question word may be a fragment


@functools.cache
def _endings(name: str) -> tuple[str, ...]:
    """Endings of nouns from the word lists, longest first."""
    return tuple(sorted(word_lists()[name], key=lambda word: (-len(word), word)))


def _analyse(question: str, answer: str) -> _Before:
    text = _LEAD.sub("", _END.sub("", question.strip()[:MAX_CHARACTERS]))
    predicate = _PREDICATE.search(text)
    subject = text[: predicate.start()] if predicate else re.sub(r"[吗呢]$", "", text)
    if asked := _ASKED.search(subject):
        subject = subject[: asked.start()]
    subject = re.sub(r"(?:一般|通常|目前|现在|总共|一共|分别|大约|都|也|又|就|每|在|的)+$", "", subject)
    entity, attribute = _owner_and_attribute(_TIME.sub("，", subject))
    return _Before(text, _END.sub("", answer.strip())[:MAX_CHARACTERS], subject, entity, attribute)


def _owner_and_attribute(subject: str) -> tuple[str, str]:
    """A subject without its time, as what it is about and what is asked of that; either may be ""."""
    parts = [part for part in re.split(r"[的，]+", subject) if part]
    if not parts:
        return "", ""
    last = parts[-1]
    if len(parts) > 1:
        return parts[0], last
    ending = next((word for word in (*_endings("attributes_zh"), *_endings("roles_zh")) if last.endswith(word)), "")
    if not ending:
        return last, ""
    # "苹果公司净利润": the attribute begins after the name, if that ends in a word for an organisation.
    if named := re.match(r".{2,}(?:公司|集团|银行|股份|大学|医院)(?=.{2,})", last):
        return named.group(), last[named.end() :]
    return "", last


# ---- question words alone


def _asked_anew(word: str, before: _Before) -> str | None:
    """The question before, with another question word: 为什么, 什么时候."""
    word = word.removeprefix("是") if not word.startswith("是谁") else word
    if word in ("原因", "怎么会", "为何", "为什么"):
        return _why(before)
    if re.search(r"[吗嗎]$|是否|能否|可否|可不可以|能不能", before.text):
        statement = re.sub(r"[吗嗎]$|是否", "", before.text)
        statement = re.sub(r"能否|可否|可不可以|能不能", "可以", statement)
        return f"{statement[: len(before.subject)]}{word}{statement[len(before.subject) :]}？"
    asked = re.search(
        r"由谁|被谁|是谁|谁|在?什么时候|何时|哪一?年|在?哪里|在?哪儿|在?什么地方|怎么|怎样|如何|多少|多久|多[长大高重远]|为什么",
        before.text,
    )
    return f"{before.text[: asked.start()]}{word}{before.text[asked.end() :]}？" if asked else None


def _why(before: _Before) -> str:
    """为什么 and the question before as a statement: with its answer, where that is short."""
    statement = re.sub(r"[吗嗎]$|是否", "", before.text)
    asked = _ASKED.search(statement)
    short = before.answer if 0 < len(before.answer) <= 12 else ""
    if asked and short:
        return f"为什么{statement[: asked.start()]}{short}{statement[asked.end() :]}？"
    if asked:
        statement = statement[: asked.start()] + statement[asked.end() :]
    place = len(before.subject) if before.subject and statement.startswith(before.subject) else 0
    return f"{statement[:place]}为什么{statement[place:]}？"


# ---- fragments: "那2020年呢", "净利润呢"


def _replaced(fragment: str, before: _Before, *, introduced: bool) -> str | None:
    """The question before with the part that the fragment resembles replaced by it; None if none does."""
    for swap in (_time_swapped, _unit_added, _extreme_swapped, _place_swapped, _code_swapped, _resembling_swapped):
        if (text := swap(fragment, before)) is not None:
            return f"{text}？"
    if _kind(fragment) and not fragment.endswith("的"):
        return _attribute_swapped(fragment, before) if introduced or before.attribute else None
    if not introduced:
        return f"{_entity_swapped(fragment, before)}？" if before.entity and len(fragment) <= _SHORT else None
    text = _entity_swapped(fragment, before)
    return f"{text}？" if text else None


def _time_swapped(fragment: str, before: _Before) -> str | None:
    bare = re.sub(r"(?:的|时|期间|在|是)+$|^(?:在|到|截至)", "", fragment)
    if not (_TIME.fullmatch(bare) or _STEP.match(bare) or re.fullmatch(r"(?:19|20)\d\d", bare)):
        return None
    if bare.isdigit():
        bare += "年"
    old = _TIME.search(before.text)
    year = _YEAR.search(before.text)
    if not old and (digits := YEAR.search(before.text)):  # the question before was put in English
        return before.text[: digits.start()] + bare.rstrip("年") + before.text[digits.end() :]
    if (step := _STEP.match(bare)) and year:
        bare = f"{int(year[1]) + (1 if step['after'] else -1)}年"
    if old is None:
        place = len(before.entity) if before.entity and before.text.startswith(before.entity) else 0
        rest = before.text[place:]
        return f"{before.text[:place]}{bare}{rest if place else '的' + rest if before.attribute else rest}"
    # A year alone leaves the quarter as it is, and a quarter the year.
    if year and re.fullmatch(r"(?:19|20)\d\d年", bare):
        return before.text[: year.start()] + bare + before.text[year.end() :]
    first = old.start()
    if year and not _YEAR.search(bare) and old.start() == year.start() and len(old.group()) > len(year.group()):
        first = year.end()
    return before.text[:first] + bare + before.text[old.end() :]


def _unit_added(fragment: str, before: _Before) -> str | None:
    if _UNIT.match(fragment):
        return f"{before.subject}{fragment}{before.tail}"
    if _COMPARED.match(fragment):
        return f"{before.subject}{fragment}{before.tail}"
    return None


def _extreme_swapped(fragment: str, before: _Before) -> str | None:
    old = _EXTREME.search(before.text)
    bare = re.sub(r"的$", "", fragment)
    if not old or not _EXTREME.fullmatch(bare):
        return None
    return before.text[: old.start()] + bare + before.text[old.end() :]


def _place_swapped(fragment: str, before: _Before) -> str | None:
    """What follows the same preposition replaced: 在国外 for 在国内."""
    preposition = _PREPOSITION.match(fragment)
    if not preposition:
        return None
    new = fragment[preposition.end() :]
    old = re.search(rf"{preposition[1]}([\u4e00-\u9fffA-Za-z0-9]{{{len(new)}}})", before.text)
    if old:
        return before.text[: old.start(1)] + new + before.text[old.end(1) :]
    return f"{before.subject}{fragment}{before.tail}"


def _code_swapped(fragment: str, before: _Before) -> str | None:
    """A code, a name in Latin letters or a title in the place of another one."""
    bare = re.sub(r"的$", "", fragment)
    if _TITLE.fullmatch(bare) and (old := _TITLE.search(before.text)):
        return before.text[: old.start()] + bare + before.text[old.end() :]
    if not _LATIN.fullmatch(bare):
        return None
    found = list(_LATIN.finditer(before.text))
    digits = any(map(str.isdigit, bare))
    alike = [match for match in found if any(map(str.isdigit, match.group())) == digits] or found
    if not alike:
        return None
    return before.text[: alike[0].start()] + bare + before.text[alike[0].end() :]


def _resembling_swapped(fragment: str, before: _Before) -> str | None:
    """A word of the same length that shares its first or last characters: 绿灯 for 红灯, 室外 for 室内."""
    bare = re.sub(r"的$", "", fragment)
    if not 2 <= len(bare) <= _SHORT or _kind(bare):
        return None
    for same in range(len(bare) - 1, 0, -1):
        for shared, at_end in ((bare[-same:], True), (bare[:same], False)):
            place = before.text.find(shared)
            while place >= 0:
                start = place - (len(bare) - same) if at_end else place
                old = before.text[max(start, 0) : start + len(bare)]
                if (
                    start >= 0
                    and len(old) == len(bare)
                    and old != bare
                    and _is_word(before.text, start, start + len(bare))
                ):
                    return before.text[:start] + bare + before.text[start + len(bare) :]
                place = before.text.find(shared, place + 1)
    return None


def _is_word(text: str, start: int, end: int) -> bool:
    """Whether a stretch may be a word: no particle or question word in it, and no name goes on before it."""
    stretch = text[start:end]
    return not re.search(r"[的是在和与，？多少几何谁哪了吗有]", stretch) and (
        start == 0
        or not _NOUN_PARTS.match(text[start - 1])
        or text[start - 1] in "的在由和与年是对向从被，"
        or end - start > 2
    )


def _kind(fragment: str) -> str:
    """Either "attribute" or "role" for a noun of that kind; "" for other words."""
    bare = fragment.split("的")[-1]
    if any(bare.endswith(word) for word in _endings("roles_zh")):
        return "role"
    return "attribute" if any(bare.endswith(word) for word in _endings("attributes_zh")) and len(bare) > 1 else ""


def _attribute_swapped(fragment: str, before: _Before) -> str:
    """Another attribute of what was asked about."""
    attribute = fragment.removeprefix("其")
    if before.attribute and _kind(before.attribute) == _kind(fragment) and not attribute.startswith("占"):
        place = before.text.rfind(before.attribute, 0, len(before.subject))
        return f"{before.text[:place]}{attribute}{before.text[place + len(before.attribute) :]}？"
    owner = before.subject if attribute.startswith("占") else before.entity or before.subject
    asked = "是谁" if _kind(fragment) == "role" else "是多少"
    return f"{owner}{'' if attribute.startswith('占') else '的'}{attribute}{asked}？"


def _entity_swapped(fragment: str, before: _Before) -> str:
    """Another thing in the place of what was asked about; "" if there is none."""
    bare = re.sub(r"的$", "", fragment)
    old = before.entity or _TIME.sub("", before.subject)
    if not old:
        return ""
    place = before.text.find(old)
    end = place + len(old)
    if not before.entity and before.attribute:  # "净利润是多少", "五粮液呢": the owner was not named
        return f"{before.text[:place]}{bare}的{before.text[place:]}"
    return before.text[:place] + bare + before.text[end:]


# ---- pronouns, and questions without a subject


def _outer_pronoun(text: str) -> re.Match[str] | None:
    """The first pronoun that refers to something outside the question."""
    for match in _PRONOUN.finditer(text):
        words_before = _QUESTION_WORDS.sub("", text[: match.start()])
        if len(re.sub(r"[，,、]", "", words_before)) < 2:
            return match
    return None


def _resolved(rest: str, pronoun: re.Match[str], before: _Before) -> str | None:
    """The question with its pronoun replaced; None if nothing fits."""
    name = _name_in_answer(before)
    if pronoun["place"]:
        referent = name or before.entity
    elif pronoun["person"]:
        plural = pronoun.group().endswith("们")
        referent = (_crowd(before) if plural else "") or name or before.entity or _TIME.sub("", before.subject)
    elif pronoun["noun"] in ("人", "作者") or (before.text.find("哪") >= 0 and name and "哪里" not in before.text):
        referent = name or before.entity
    else:
        referent = before.entity or _TIME.sub("", before.subject).strip("的") or _crowd(before) or name
    if not referent:
        return None
    joint = "的" if pronoun["possessive"] and not rest[pronoun.end() :].startswith("的") else ""
    return f"{rest[: pronoun.start()]}{referent}{joint}{rest[pronoun.end() :]}？"


def _crowd(before: _Before) -> str:
    """The people or things counted: 受试者 in 有多少受试者参加了研究."""
    match = re.search(
        r"(?:多少|几|哪些)[个名位家种人]?([\u4e00-\u9fff]{2,6}?)(?=参加|参与|在|是|有|被|的|了|$)", before.text
    )
    return match[1] if match else ""


def _name_in_answer(before: _Before) -> str:
    """A short answer to a question for a name; "" for a figure or a sentence."""
    if not re.search(r"谁|哪(?!年|一年)|什么(?!时候)|作者|首都", before.text) or re.search(r"\d", before.answer):
        return ""
    answer = re.sub(r"^(?:在|是|位于)", "", before.answer.splitlines()[0] if before.answer else "")
    return answer if 0 < len(answer) <= 12 and "，" not in answer else ""


def _lacks_subject(rest: str) -> bool:
    """Whether a question begins with its predicate and names nothing: 怎么更换, 是谁设计的."""
    if not _EMPTY_START.match(rest) and not _PREPOSITION.match(rest):
        return False
    if re.match(r"^(?:比|占|和|与|跟|同|对)", rest):
        return bool(_ASKED.search(rest)) and not re.match(r"^(?:比亚|和平|同时|对方|对外)", rest)
    return 0 < len(_QUESTION_WORDS.sub("", rest)) <= MAX_PREDICATE


def _with_subject(rest: str, before: _Before) -> str | None:
    """The question with what the one before is about in front."""
    if re.match(r"^(?:比|占|和|与|跟|同)", rest):
        return f"{before.subject}{rest}？" if before.subject else None
    subject = before.entity or _TIME.sub("", before.subject).strip("的")
    # 需要提前多少天通知: what has to be done stands in the predicate before.
    if (
        rest.startswith("需要")
        and (action := re.sub(r"[吗嗎]$|可以|能|是否", "", before.tail))
        and not _ASKED.search(action)
    ):
        subject += action
    return f"{subject}{rest}？" if subject else None
