"""Analyses a Chinese question: its time, what it is about, which attribute, and what it asks. Without segmentation."""

from __future__ import annotations

import functools
import re
from dataclasses import dataclass
from typing import Final

from rag.retrieve.dialogue.clause import word_lists

MAX_NOUN: Final = 6  # characters of a noun that names the attribute asked for
MAX_CHARACTERS: Final = 300  # of a question, and of an answer, that are examined
END = re.compile(r"[？?。！!，,\s]+$")
LEAD = re.compile(
    r"^(?:(?:那么|那麼|那(?![里裡儿个家款份种座本篇些年时天位条])|还有|還有|另外|然后|而|同样的?问题[，,]?|以及|请问)[，,]?)+"
)
TIME = re.compile(
    r"(?:(?:19|20)\d\d|[一二][〇零九][〇零一二三四五六七八九]{2})(?:年度?|财年)(?:的?(?:第[一二三四1-4]季度|[一二三四]季度|上半年|下半年|年?[末底初]|同期|\d{1,2}月(?:\d{1,2}日)?[末底]?))?"
    r"|(?:第[一二三四1-4]|[一二三四])季度|上半年|下半年|(?:去|今|前|上|本|次|翌|当)年(?:度|末|底|初)?(?:同期)?|(?:上|前|后|下|这|那)(?:一|两)?(?:年|季度|个月)|本期|上期|报告期"
)
YEAR_ZH = re.compile(r"((?:19|20)\d\d)年")
# What a question asks, and everything else in its predicate.
ASKED = re.compile(
    r"什么时候|什麼時候|何时|什么地方|什么|什麼|哪一年|哪年|哪[里儿]|哪[些个种家位一]?|谁|誰|多少|多[久长大高重远深宽快]|几(?![乎何率])|怎么|怎麼|怎样|如何|为什么|為什麼|为何|是否|能否|可否|可以|[吗嗎]$"
)
# Where the subject of a question ends.
_PREDICATE = re.compile(
    r"是(?!否)|有多|有哪|有几|有什么|什么时候|何时|哪一年|哪[里些个种家]|为什么|怎么|怎样|如何|多[少久长大高重远]|是否|能否|可以|能(?!力|源|量|耗)|(?<![事大员协社工机])会(?!计|议)|应(?![收付用急对激])|需要|必须|须|(?<![路自理缘])由(?!于)|表示|属于|用了|使用|采用"
    r"|位于|流经|生活|占(?!比|用)|比(?!例|率|亚|重)|增长|下降|上升|减少|增加|怎|为(?=多少|什么|何|几|哪)|在哪|包括|包含|存在|提供|支付|承担|负责|适用|影响|降低|提高"
    r"|设在|纳入|招募|来自|成立|召开|生效|到期|签[订署]|发布|上市|建成|修建|出生|支持(?!率)|具有|具备|允许"
)


@dataclass(frozen=True, slots=True)
class BeforeZh:
    """The question before, without its question mark."""

    text: str
    answer: str
    subject: str  # with its time: "贵州茅台2021年的营业收入"; "" if the question word comes first
    entity: str  # "贵州茅台"; "" for none
    attribute: str  # "营业收入"; "" for none

    @property
    def tail(self) -> str:
        """What follows the subject."""
        return self.text[len(self.subject) :]


@functools.cache
def _endings(name: str) -> tuple[str, ...]:
    """Endings of nouns from the word lists, longest first."""
    return tuple(sorted(word_lists()[name], key=lambda word: (-len(word), word)))


def analyse_chinese(question: str, answer: str) -> BeforeZh:
    """Analyse a question. A pure function of the first MAX_CHARACTERS characters of both texts."""
    text = LEAD.sub("", END.sub("", question.strip()[:MAX_CHARACTERS]))
    predicate = _PREDICATE.search(text)
    subject = text[: predicate.start()] if predicate else re.sub(r"[吗呢]$", "", text)
    if asked := ASKED.search(subject):
        subject = subject[: asked.start()]
    subject = re.sub(r"(?:一般|通常|目前|现在|总共|一共|分别|大约|都|也|又|就|每|在|的)+$", "", subject)
    entity, attribute = _owner_and_attribute(TIME.sub("，", subject))
    if not subject and (named := re.match(r"(?:谁|哪[个位家一])是(.+)", text)):
        entity = named[1]
    return BeforeZh(text, END.sub("", answer.strip())[:MAX_CHARACTERS], subject, entity, attribute)


def _owner_and_attribute(subject: str) -> tuple[str, str]:
    """A subject without its time, as what it is about and which attribute of that; either may be ""."""
    parts = [part for part in re.split(r"[的，]+", subject) if part]
    if not parts:
        return "", ""
    last = parts[-1]
    if len(parts) > 1:
        return parts[0], last
    ending = next((word for word in (*_endings("attributes_zh"), *_endings("roles_zh")) if last.endswith(word)), "")
    if not ending:
        return last, ""
    # "苹果公司净利润": the attribute starts after the name, if that ends with a word for an organisation.
    if named := re.match(r".{2,}(?:公司|集团|银行|股份|大学|医院)(?=.{2,})", last):
        return named.group(), last[named.end() :]
    # "企业所得税税率": two nouns of that kind, the second of the first.
    rest = last.removesuffix(ending)
    return (rest, ending) if len(rest) > 1 and len(ending) > 1 and kind_of(rest) else ("", last)


def kind_of(fragment: str) -> str:
    """Returns "attribute" or "role" for a noun of that kind; "" for other words."""
    bare = fragment.split("的")[-1]
    if len(bare) > MAX_NOUN:
        return ""
    if any(bare.endswith(word) for word in _endings("roles_zh")):
        return "role"
    return "attribute" if any(bare.endswith(word) for word in _endings("attributes_zh")) and len(bare) > 1 else ""
