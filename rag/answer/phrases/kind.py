"""The kind of thing that a question asks for, in English and Chinese, judging only by its words."""

from __future__ import annotations

import re
from enum import StrEnum
from typing import Final

from rag.answer.sentences import without_instructions

MAX_CHARACTERS: Final = 1_000  # of a question that are looked at


class Kind(StrEnum):
    """What may answer a question."""

    YES_NO = "yes or no"
    LIST = "list"
    WHY = "why"
    HOW = "how"
    DATE = "date"
    PERCENT = "percent"
    MONEY = "money"
    DURATION = "duration"
    NUMBER = "number"
    PERSON = "person"
    PLACE = "place"
    CHANGE = "change"  # what changed
    THING = "thing"  # anything else: a name or a phrase


# The first pattern that matches tells the kind.
_PATTERNS: Final = {
    Kind.WHY: (
        r"\bwhy\b|^(?:what|which) (?:\w+ )?(?:is|are|was|were) the (?:main |primary |key "
        r"|principal )?(?:reason|cause)s?\b"
        r"|\bfor what reasons?\b|\bwhat (?:caused|causes|drove|led to)\b|\bhow come\b"
        r"|\bwhat accounts? for\b|\bdue to what\b"
        r"|\b(?:reason|rationale) (?:for|behind|why)\b|(?<![称名封作认视更改化转变成因])为什么(?!而)"
        r"|为何(?!时)|为啥|何以|怎么会|什么原因|原因[是为有]|的原因|因何"
    ),
    Kind.PERCENT: (
        r"\bpercent(?:age)?s?\b|\bwhat (?:share|proportion|fraction|rate)\b|百分之|百分比|比例是|比率是"
        r"|占比|几成|多大比例|利率是"
    ),
    Kind.DURATION: (
        r"\bhow long\b|\bhow many (?:\w+ )?(?:years|months|weeks|days|hours|minutes|seconds|decades)\b"
        r"|\b(?:what|which) (?:is|was)"
        r" the (?:\w+ ){0,3}(?:duration|length of time|notice period|warranty period|term)\b|多久"
        r"|多长时间|多少[个]?[年天日月周]"
        r"|几[个]?[年天日月周小]|期限|保修期|时长|年限"
    ),
    Kind.DATE: (
        r"\bwhen\b(?! (?:is|are|was|were|the|a|an|to|you|it|using)\b.*,)|\b(?:what"
        r"|which) (?:\w+ )?(?:year|month|day|date|decade"
        r"|century|time|week|quarter|season|deadline)s?\b|\b(?:what|which) (?:is"
        r"|was) the (?:\w+ ){0,3}(?:date|deadline|year)\b"
        r"|什么时候|何时|几时|哪[一]?[年天月日]|哪个(?:年|月|日|世纪|季度)|何年|什么时间|日期|几月|几号|时间是|截止"
    ),
    Kind.MONEY: (
        r"\bhow much (?:money|does|did|do|is|was|were|will|would|has|have)\b|\b(?:what"
        r"|which) (?:\w+ )?(?:is|are|was|were) the (?:\w+ )"
        r"{0,4}(?:price|cost|fee|amount|salary|rent|deposit|penalty|fine|charge|budget|revenue|income"
        r"|premium)s?\b"
        r"|^what (?:are|were)(?!.* (?:main|major|largest|biggest|key|principal|primary|kinds|types|respectively)\b)"
        r" (?:[\w'’.&-]+ ){0,6}(?:revenues|earnings|sales|profits|assets|liabilities|expenses|costs)"
        r"(?: (?:in|for|at|as of|during|over) .*|\W*)$|多少钱|多少元|多少美元"
        r"|价格|费用是|金额|租金|押金|违约金|预算"
    ),
    Kind.NUMBER: (
        r"\bhow (?:many|much|large|big|high|tall|deep|far|fast|heavy|wide|old|often|few|frequently|hot"
        r"|cold|strong|thick)\b"
        r"|\b(?:what|which) (?:\w+ )?(?:is|was|are|were) the (?:\w+ ){0,3}(?:number|size|population"
        r"|height|weight|length|width|depth"
        r"|speed|temperature|capacity|voltage|pressure|distance|maximum|minimum)\b|多少"
        r"|几[个名位次种人件条项所只支款台层年元]"
        r"|多[大高长远快重深宽厚]|人数|数量|第几|重量|尺寸|温度|容量"
    ),
    Kind.PERSON: r"\b(?:who|whom|whose)\b|谁|哪[一]?位|何人|什么人|哪[个些]人|姓名",
    Kind.PLACE: (
        r"\bwhere\b|\b(?:what|which) (?:\w+ )?(?:city|country|state|place|town|location|region|province"
        r"|county|continent|street|address)\b"
        r"|\b(?:what|which) (?:is|was) the (?:\w+ ){0,2}(?:capital|location|address)\b|哪里|哪儿|何处"
        r"|何地|什么地方|哪[个一座]?(?:城市|国家|地方|省|市"
        r"|国|州|地区|县)|位于|地点|地址|总部"
    ),
    Kind.CHANGE: r"\bwhat (?:has |have |had |was |were )?changed\b|\bwhat (?:\w+ )?(?:changes|amendments)\b"
    r"|有什么变化|哪些变[化更动]|变化是什么",
    Kind.HOW: (
        r"^(?:and |so |but )?how\b|\bin what (?:way|manner)\b|\bby what means\b|\bwhat (?:steps|method"
        r"|procedure|process)\b|怎么|怎样|如何"
        r"|什么方[式法]|哪[些种]方[式法]|步骤"
    ),
}
_COMPILED: Final = {kind: re.compile(pattern, re.IGNORECASE) for kind, pattern in _PATTERNS.items()}
_AUXILIARY: Final = (
    "is|are|was|were|am|do|does|did|has|have|had|can|could|should|shall|will|would|may|might|must|isn't|aren't|wasn't"
    "|weren't|don't|doesn't|didn't|hasn't|haven't|can't|won't"
)
_YES_NO: Final = re.compile(
    rf"^(?:[^,?]{{1,80}}, )?(?:and |so |but |also )?(?:{_AUXILIARY})\s(?!.*\b(?:what|which|who|whom|when"
    rf"|where|why|how)\b[^,]*$)",
    re.IGNORECASE,
)
_AUXILIARY_FIRST: Final = re.compile(rf"^\W*(?:{_AUXILIARY})\b", re.IGNORECASE)
_FUNCTION_HAN: Final = re.compile(
    r"请问|是否|能否|可否|有没有|是不是|能不能|哪[些个几种位]?|什么|多少|为何|为什么|如何|怎[样么]|可以"
    r"|能够|应当|应该|需要|必须|属于"
    r"|获得|得到|已经|进行|[的了吗呢？?，。、]"
)
_EITHER: Final = re.compile(
    r"\b(?:is|are|was|were|do|does|did|has|have|will|should|can)\b.*\bor\b(?! not\b)", re.IGNORECASE
)
_YES_NO_HAN: Final = re.compile(
    r"^(?!.*(?:哪|谁|什么|多少|如何|怎|为何|还是)).*(?:是否|[能可]否(?!.*还是)|有无|是不是|有没有|能不能"
    r"|可不可以|会不会|要不要|需不需要|吗[？?。\s]*$)"
)
_PLURAL: Final = re.compile(
    r"^(?:in |for |to |of |by |from |on |with |at )?(?:what|which)(?: (?:are|were|other|main|types?"
    r"|kinds?|of|the|two|three|four|five"
    r"|six|seven|some|all|principal|key|major|primary|different|specific|business|operating|reportable|risk))*"
    r" (?!(?:is|was|does|has|years?|months?|days?|dates?)\b)(?:[\w'’-]+ ){0,2}?(?!(?:is|was|does|has|his"
    r"|its|this|consists|lies|makes"
    r"|takes|gives|includes|contains|belongs|means|uses|becomes|comes|goes|allows|causes|needs|holds|seems|works)\b)"
    r"(?:\w{2,}(?<!s)(?<!u)(?<!i)s|people|criteria|children|men|women)(?: (?:are|were|have|had|do|did"
    r"|can|could|may|must|shall|will"
    r"|would|should|of|in|that|for|with|under|at|on|and|to|from|by|which|who|make|include|does|need"
    r"|apply|affect|\w+ed)\b|[,?]|$)"
    r"|\b(?:list|name|enumerate|give|identify) (?:all|the|some|two|three|four|five)\b|\bwhat (?:does|do"
    r"|did) .*\b(?:consist of|comprise|include)\b",
    re.IGNORECASE,
)
_PLURAL_HAN: Final = re.compile(r"哪[几些两三四五]|有什么(?!变化)|列出|列举|包括什么|分为什么|由什么组成|哪些")


def content(question: str) -> str:
    """The question without the words that make it one, and without function words of Chinese."""
    return _FUNCTION_HAN.sub(" ", _AUXILIARY_FIRST.sub("", question[:MAX_CHARACTERS]))


def kind_of(question: str) -> Kind:
    """What the question asks for; THING where no word tells."""
    text = " ".join(without_instructions(question[:MAX_CHARACTERS]).split())
    if (_YES_NO.search(text) and not _EITHER.search(text)) or _YES_NO_HAN.search(text):
        return Kind.YES_NO
    first = next((kind for kind, pattern in _COMPILED.items() if pattern.search(text)), Kind.THING)
    return Kind.LIST if first in (Kind.THING, Kind.PERSON, Kind.PLACE) and asks_for_list(text) else first


def asks_for_list(question: str) -> bool:
    """Whether the answer has several items."""
    return bool(_PLURAL.search(question) or _PLURAL_HAN.search(question))
