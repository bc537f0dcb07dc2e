"""Completes a Chinese follow-up from the question before it, replacing the part that has changed."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from rag.retrieve.dialogue.chinese_question import ASKED, END, LEAD, TIME, YEAR_ZH, BeforeZh, analyse_chinese, kind_of
from rag.retrieve.dialogue.clause import YEAR

MAX_PREDICATE: Final = 2  # characters of a question about something it does not name: 更换 in 怎么更换

_ASKS_AGAIN = re.compile(r"(?:又|的话)?(?:呢|怎么样|如何|怎样)$|又(?:是|有)(?:多少|什么|谁|哪[里些个])$")
_STEP = re.compile(
    r"^(?:(?P<before>前一年|上一年|上年|前年度|上一年度|上年度)|(?P<after>后一年|下一年|次年|第二年))度?$"
)
_PRONOUN = re.compile(
    r"(?P<person>(?<![吉其])[他她](?!人|国|项|们)|[他她]们)|(?P<thing>它们?)"
    r"|(?P<possessive>其(?![他它中次余实间])(?=[\u4e00-\u9fff]))"
    r"|(?P<named>(?:该|此|这[个家款份种座本篇条只位]|那[个家款份种座本篇条只位]|上述|本)(?P<noun>公司|企业|集团|银行|产品|设备|机器|型号|模型|药物|国家|城市|地方|建筑|作品|书|人|作者|协议|项目))"
    r"|(?P<place>那里|那裡|那儿|当地)"
)
_QUESTION_WORDS = re.compile(
    r"主要|预计|大概|目前|具体|来自|什么时候|什么地方|什么|何时|哪一?年|哪里|哪儿|哪[些个种家位]?|谁|多少|多[久长大高重远深宽快]|几|怎么|怎样|如何|为什么|为何|是否|能否|可以|需要|提前|应该|必须|[是能要会由从在被把对和跟的了过吗呢天个元名人次年月日有来去做到请该期分]"
)
_EMPTY_START = re.compile(
    r"^(?:分别|一般|通常|都|又|也|各|一共|总共|大约|主要|预计|大概|目前|具体)?(?:来自|涉及|从(?:哪|什么|何)|支持|包?含|持续|花|要|分[为成了几]|属于|适合|该(?:怎|如何)|有.{1,4}[吗嗎]$|是|什么时候|何时|怎么|怎样|如何|为什么|为何|由谁|被谁|在哪|哪一?年|需要|应该|必须|可以|能|会|有(?:什么|哪|几|多)|多少|多[久长大高重远]|比|占|和|与|跟|同)"
)
_VERB_START = re.compile(r"(?:都|也|还)?(?:支持|包?含|有|需要?|要|能|可以|会)")
_BARE = re.compile(
    r"^(?:是)?(?:为什么|为何|怎么会|原因|什么时候|何时|哪一?年|几时|在?哪里|在?哪儿|在?什么地方|谁|由谁|怎么|如何|怎样|多少|几个|怎么办)(?:呢)?$"
)
_EXTREME = re.compile(r"最[高低大小多少长短新旧好差快慢早晚]|第[一二三四五六七八九十]大")
_UNIT = re.compile(
    r"^(?:以|按|按照|用|换算?成|折合成?)?(?:百分比|美元|人民币|欧元|日元|港元|港币|英镑|亿元|万元|公斤|千克|磅|米|英尺|百分数)(?:计|计算|表示|来算|来说)?(?:呢)?$"
)
_PREPOSITION = re.compile(r"^(在|到|距|对(?![照方象比手])|对于|关于|从|向|由|按|用|给|通过)(?=.)")
_COMPARED = re.compile(r"^(?:和|与|跟|同|比|相比|较)")
_LATIN = re.compile(r"[A-Za-z][A-Za-z0-9.+-]*\d*|\d+[A-Za-z]\w*")
_TITLE = re.compile(r"《[^》]{1,40}》")
_EXPLAIN = re.compile(
    r"^(?:请)?(?:再)?(?:详细|具体|多|进一步)?(?:说说|说一下|讲讲|介绍一下|解释一下|展开说说|详细一点|具体一点|说明一下|详细说明)(?:它|这个|这一点)?$"
)


def complete_chinese(question: str, before: str, answer: str) -> str | None:
    """The follow-up as a complete question; unchanged if it is one already; None if nothing fits."""
    text = END.sub("", question.strip())
    lead = LEAD.match(text)
    rest = text[lead.end() :] if lead else text
    earlier = analyse_chinese(before, answer)
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
    if re.match(r"如果|若|假如|要是|万一", fragment):
        return question if len(rest) > _SHORT + 2 and not again else None
    is_fragment = again is not None or (not ASKED.search(rest) and (bool(lead) or len(rest) <= _SHORT))
    if is_fragment and not _PRONOUN.search(fragment):
        replaced = _replaced(fragment, earlier, introduced=again is not None or lead is not None)
        return replaced if replaced or again or lead else question
    return _completed_question(question, rest, earlier)


def _completed_question(question: str, rest: str, earlier: BeforeZh) -> str | None:
    """A question with its own predicate, completed with what it lacks; unchanged if it lacks nothing."""
    unit = rest.removesuffix("是多少")
    if _UNIT.match(unit):
        return f"{earlier.subject}{unit}{earlier.tail}？"
    if pronoun := _outer_pronoun(rest):
        return _resolved(rest, pronoun, earlier)
    # "相机怎么连接手机", "怎么连接电脑": the same question about something else.
    again_how = re.match(r"(?:怎么|怎麼|如何|怎样)[\u4e00-\u9fff]{2}", rest)
    if again_how and earlier.subject and earlier.tail.startswith(again_how.group()) and not earlier.text.endswith(rest):
        return f"{earlier.subject}{rest}？"
    return _with_subject(rest, earlier) if _lacks_subject(rest) else question


_SHORT: Final = 6  # characters up to which words without a question word may be a fragment


# ---- question words alone


def _asked_anew(word: str, before: BeforeZh) -> str | None:
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


def _why(before: BeforeZh) -> str:
    """为什么 and the question before as a statement; with its answer, if that is short."""
    statement = re.sub(r"[吗嗎]$|是否", "", before.text)
    asked = ASKED.search(statement)
    short = before.answer if 0 < len(before.answer) <= 12 else ""
    if asked and short:
        return f"为什么{statement[: asked.start()]}{short}{statement[asked.end() :]}？"
    if asked:
        statement = statement[: asked.start()] + statement[asked.end() :]
    place = len(before.subject) if before.subject and statement.startswith(before.subject) else 0
    return f"{statement[:place]}为什么{statement[place:]}？"


# ---- fragments: "那2020年呢", "净利润呢"


def _replaced(fragment: str, before: BeforeZh, *, introduced: bool) -> str | None:
    """The question before, with the part that the fragment resembles replaced by it; None if there is no such part."""
    for swap in (_time_swapped, _unit_added, _extreme_swapped, _place_swapped, _code_swapped, _resembling_swapped):
        if (text := swap(fragment, before)) is not None:
            return f"{text}？"
    if not before.subject and (verb := _verb_swapped(fragment, before)):
        return verb
    # "应收账款的余额", "存货呢": both are names of accounts, and the first is the one to replace.
    both = kind_of(before.entity) == "attribute" == kind_of(before.attribute)
    is_attribute = kind_of(fragment) and not fragment.endswith("的") and not both
    if is_attribute or _resembles(fragment, before.attribute):
        return _attribute_swapped(fragment, before) if introduced or before.attribute else None
    if not introduced:
        return f"{_entity_swapped(fragment, before)}？" if before.entity and len(fragment) <= _SHORT else None
    text = _object_swapped(fragment, before) or _entity_swapped(fragment, before)
    return f"{text}？" if text else None


def _verb_swapped(fragment: str, before: BeforeZh) -> str:
    """Another action on the same thing: 取消 for 设置 in 如何设置定时功能; "" for other questions."""
    match = re.match(r"(?:如何|怎么|怎样|怎麼)([\u4e00-\u9fff]{2})(?=[\u4e00-\u9fff]{2})", before.text)
    if not match or len(fragment) != 2 or kind_of(fragment):
        return ""
    return f"{before.text[: match.start(1)]}{fragment}{before.text[match.end(1) :]}？"


def _object_swapped(fragment: str, before: BeforeZh) -> str:
    """The object of the question, replaced: 快充 for 无线充电 in 本产品支持无线充电吗; else ""."""
    match = re.search(r"(支持|具有|具备|包括|包含|允许|有)([\u4e00-\u9fffA-Za-z0-9]{2,8})[吗嗎]$", before.text)
    if not match or not re.match(r"[本该这此]", before.subject):
        return ""
    return before.text[: match.start(2)] + fragment + before.text[match.end(2) :]


def _time_swapped(fragment: str, before: BeforeZh) -> str | None:
    bare = re.sub(r"(?:的(?:情况|数据|时候)?|时|期间|在|是|方面)+$|^(?:在|到|截至)", "", fragment)
    several = len(re.split(r"[和与、至到及]", bare)) > 1 and all(map(TIME.fullmatch, re.split(r"[和与、至到及]", bare)))
    if not (several or TIME.fullmatch(bare) or _STEP.match(bare) or re.fullmatch(r"(?:19|20)\d\d", bare)):
        return None
    bare = bare.removesuffix("同期")
    if bare.isdigit():
        bare += "年"
    old = TIME.search(before.text)
    year = YEAR_ZH.search(before.text)
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
    if year and not YEAR_ZH.search(bare) and old.start() == year.start() and len(old.group()) > len(year.group()):
        first = year.end()
    return before.text[:first] + bare + before.text[old.end() :]


def _unit_added(fragment: str, before: BeforeZh) -> str | None:
    if _UNIT.match(fragment):
        return f"{before.subject}{fragment}{before.tail}"
    if _COMPARED.match(fragment):
        return f"{before.subject}{fragment}{before.tail}"
    return None


def _extreme_swapped(fragment: str, before: BeforeZh) -> str | None:
    old = _EXTREME.search(before.text)
    bare = re.sub(r"的$", "", fragment)
    if not old or not _EXTREME.fullmatch(bare):
        return None
    return before.text[: old.start()] + bare + before.text[old.end() :]


def _place_swapped(fragment: str, before: BeforeZh) -> str | None:
    """The object of the same preposition, replaced: 在国外 for 在国内."""
    preposition = _PREPOSITION.match(fragment)
    if not preposition:
        return None
    new = fragment[preposition.end() :]
    old = re.search(rf"{preposition[1]}([\u4e00-\u9fffA-Za-z0-9]{{{len(new)}}})", before.text)
    if old:
        return before.text[: old.start(1)] + new + before.text[old.end(1) :]
    return f"{before.subject}{fragment}{before.tail}"


def _code_swapped(fragment: str, before: BeforeZh) -> str | None:
    """A code, a name in Latin letters or a title, in place of another one."""
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


def _resembling_swapped(fragment: str, before: BeforeZh) -> str | None:
    """A word of the same length that shares its first or last characters: 绿灯 for 红灯, 室外 for 室内."""
    bare = re.sub(r"的$", "", fragment)
    if not 2 <= len(bare) <= _SHORT or kind_of(bare):
        return None
    start = next(_resembling_words(bare, before.text), None)
    if start is None:
        return None
    # 董事会 is no variant of the end of 股东大会.
    left = len(before.entity) - len(bare)
    if len(bare) > 2 and 0 < left <= 2 and before.entity.endswith(before.text[start : start + len(bare)]):
        return None
    return before.text[:start] + bare + before.text[start + len(bare) :]


def _resembling_words(bare: str, text: str) -> Iterator[int]:
    """Where words start that have the same length and share characters with a word, those that share most first."""
    for same in range(len(bare) - 1, 0, -1):
        for by_end in (True, False):
            shared, shift = (bare[-same:], same - len(bare)) if by_end else (bare[:same], 0)
            for match in re.finditer(re.escape(shared), text):
                start, end = match.start() + shift, match.start() + shift + len(bare)
                if not 0 <= start <= end <= len(text) or text[start:end] == bare:
                    continue
                if _is_word(text, start, end, by_end=by_end):
                    yield start


def _is_word(text: str, start: int, end: int, *, by_end: bool) -> bool:
    """Whether a stretch may be a word: it has no particle or question word, and a boundary where it differs.

    `by_end`: it shares its end with another word, so the boundary is before it.
    """
    if re.search(r"[的是在和与，？多少几何谁哪了吗有占比]", text[start:end]):
        return False
    beside = text[start - 1 : start] if by_end else text[end : end + 1]
    return end - start > 2 or not beside or beside in "的在由和与年是对向从被，么些个天名条种哪有怎如何能可会多应需"


def _resembles(fragment: str, attribute: str) -> bool:
    """Whether a noun is a variant of what was asked for: 主要供应商 beside 主要客户."""
    if not attribute or fragment == attribute or len(fragment) < 2:
        return False
    return fragment[-1] == attribute[-1] or (len(fragment) > 2 and fragment[:2] == attribute[:2])


def _attribute_swapped(fragment: str, before: BeforeZh) -> str:
    """Another attribute of the thing asked about."""
    attribute = fragment.removeprefix("其")
    same = kind_of(before.attribute) == kind_of(fragment) or _resembles(fragment, before.attribute)
    if before.attribute and same and not attribute.startswith("占"):
        place = before.text.rfind(before.attribute, 0, len(before.subject))
        return f"{before.text[:place]}{attribute}{before.text[place + len(before.attribute) :]}？"
    owner = before.subject if attribute.startswith("占") else before.entity or before.subject
    asked = "是谁" if kind_of(fragment) == "role" else "是多少"
    return f"{owner}{'' if attribute.startswith('占') else '的'}{attribute}{asked}？"


def _entity_swapped(fragment: str, before: BeforeZh) -> str:
    """Another thing in place of the one asked about; "" if there is none."""
    bare = re.sub(r"的$", "", fragment)
    old = before.entity or TIME.sub("", before.subject)
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


def _resolved(rest: str, pronoun: re.Match[str], before: BeforeZh) -> str | None:
    """The question with its pronoun replaced; None if nothing fits."""
    name = _name_in_answer(before)
    if pronoun["place"]:
        referent = name or before.entity
    elif pronoun["person"]:
        plural = pronoun.group().endswith("们")
        office = TIME.sub("", before.subject) if kind_of(before.attribute) == "role" else ""
        referent = (_crowd(before) if plural else "") or name or office or before.entity or TIME.sub("", before.subject)
    elif pronoun["noun"] in ("人", "作者") or (before.text.find("哪") >= 0 and name and "哪里" not in before.text):
        referent = name or before.entity
    else:
        referent = before.entity or TIME.sub("", before.subject).strip("的") or _crowd(before) or name
    if not referent:
        return None
    joint = "的" if pronoun["possessive"] and not rest[pronoun.end() :].startswith("的") else ""
    return f"{rest[: pronoun.start()]}{referent}{joint}{rest[pronoun.end() :]}？"


def _crowd(before: BeforeZh) -> str:
    """The people or things counted: 受试者 in 有多少受试者参加了研究."""
    match = re.search(
        r"(?:多少|几|哪些)[个名位家种人]?([\u4e00-\u9fff]{2,6}?)(?=参加|参与|在|是|有|被|的|了|$)", before.text
    )
    return match[1] if match else ""


def _name_in_answer(before: BeforeZh) -> str:
    """A short answer to a question for a name; "" if it is a figure or a sentence."""
    if not re.search(r"谁|哪(?!年|一年)|什么(?!时候)|作者|首都", before.text) or re.search(r"\d", before.answer):
        return ""
    answer = re.sub(r"^(?:在|是|位于)", "", before.answer.splitlines()[0] if before.answer else "")
    return answer if 0 < len(answer) <= 12 and "，" not in answer else ""


def _lacks_subject(rest: str) -> bool:
    """Whether a question begins with its predicate and names nothing: 怎么更换, 是谁设计的."""
    if not _EMPTY_START.match(rest) and not _PREPOSITION.match(rest):
        return False
    if re.match(r"^(?:比|占|和|与|跟|同|对|环比)", rest):
        return bool(ASKED.search(rest)) and "，" not in rest and not re.match(r"^(?:比亚|和平|同时|对方|对外)", rest)
    if re.fullmatch(r"有(?:什么|哪[些几个]|多少|几[个种项])[\u4e00-\u9fff]{1,4}", rest):
        return True
    longest = 2 * MAX_PREDICATE if re.search(r"[吗嗎]$", rest) and _VERB_START.match(rest) else MAX_PREDICATE
    return 0 <= len(_QUESTION_WORDS.sub("", rest)) <= longest


def _with_subject(rest: str, before: BeforeZh) -> str | None:
    """The question, preceded by what the one before is about."""
    if re.match(r"^(?:比|占|和|与|跟|同|环比)", rest):
        return f"{before.subject}{rest}？" if before.subject else None
    subject = before.entity or TIME.sub("", before.subject).strip("的")
    # 需要提前多少天通知: the predicate of the question before says what has to be done.
    if (
        rest.startswith("需要")
        and (action := re.sub(r"[吗嗎]$|可以|能|是否", "", before.tail))
        and not ASKED.search(action)
    ):
        subject += action
    return f"{subject}{rest}？" if subject else None
