"""The years, names and codes in a question, in English and Chinese, recognised only by their spelling."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from functools import cache, cached_property
from pathlib import Path

from rag.answer.claims.numerals import whole_of_han
from rag.answer.han_words import han_words
from rag.answer.other_script import listed_at_start, translations
from rag.index.tokenize import terms
from rag.language import CJK, COMMON_HAN, is_cjk, mainly_chinese


class Kind(StrEnum):
    """What a named thing is."""

    YEAR = "year"
    NAME = "name"  # of a person, a company, a product, a place
    CODE = "code"  # of a contract, a model, a section
    WORD = "word"  # an ordinary noun (`absent_nouns.py`)


@dataclass(frozen=True, slots=True)
class NamedThing:
    """A year, name or code of a question."""

    text: str  # as the question has it
    kind: Kind
    terms: tuple[str, ...]  # in order, each once; a year as four digits
    certain: bool = True  # whether its form shows that it is a name, rather than only its place in a Chinese question

    @property
    def chinese(self) -> bool:
        """Whether it is written in Chinese characters, and so cannot be found in a text of another script."""
        return self.kind is Kind.NAME and mainly_chinese(self.text)


MAX_QUESTION_CHARACTERS = 1_000  # of a question, that are searched
_DIGITS = dict(zip("〇零○一二三四五六七八九", "000123456789", strict=True))
_HAN_YEAR = r"[〇零○一二三四五六七八九]{4}"
# A year of four digits; from 1000 to 1899 only if a word says so, since it may well be a number.
_YEAR = re.compile(
    r"(?<![\d.,$€£¥￥#-])(?P<long>(?:19|20)\d\d)(?!\d|[.,]\d|-?[A-Za-z]{2})"
    r"|(?:\b(?:in|of|since|until|by|from|before|after|during|year)\s|(?<=[在于从自至到]))(?P<old>1[0-8]\d\d)(?!\d|[.,]\d)"
    r"|(?<!\d)(?P<han_old>1[0-8]\d\d)(?=年)"
    r"|\b(?:FY|CY|F|fiscal(?: year)?|financial year)\s?['’]?(?P<short>\d\d)(?![\d%.])"
    r"|(?<!\w)['’](?P<quoted>\d\d)(?!\d)"
    rf"|(?P<han>{_HAN_YEAR})(?=年|财)"
    r"|(?<!\d)(?P<short_han>\d\d)(?=财年|财务年)",
    re.IGNORECASE,
)
# Periods, kinds of reports and amounts, which are not names; but "3M" is a company.
_NO_NAME = re.compile(
    r"(?:[FC]Y|F)['’]?(?:\d\d){1,2}|[QH][1-4]|[1-4][QH]|\d+-?[KQ]|\d+(?:[KMGT]?(?:B|HZ|W|V|A|WH)|MM|KG|KM|CM|D)",
    re.IGNORECASE,
)
_NUMBER = re.compile(r"\d+")
_HAN_YEARS = re.compile(rf"(?P<han>{_HAN_YEAR})(?=年|财)")
_BEFORE_YEAR, _AFTER_YEAR = 18, 4  # characters that `_YEAR` may look at, "financial year '" and "-ab"
_RANGE = re.compile(r"(?<!\d)((?:19|20)\d\d)\s?[-–/]\s?(\d\d)(?!\d)")  # 2015-16
_LETTERS_AND_DIGITS = re.compile(
    r"(?<![\w.-])(?=[\w./-]{0,30}\d)(?=[\w./-]{0,30}[A-Za-z])[A-Za-z0-9]+(?:[-./][A-Za-z0-9]+)*(?![\w-])", re.ASCII
)
# What looks like a code but is not: kinds of reports, quarters, years, ordinals, amounts with a unit, "12-month".
_NO_CODE = re.compile(
    r"\d+-?[kq](?:sb|/a)?|[qh][1-4]|[1-4][qh](?:\d\d)?|(?:fy|cy|f|q[1-4]|h[12])-?'?\d+|(?:fy|cy)?\d{4}(?:q[1-4]|h[12])?"
    r"|\d+(?:st|nd|rd|th|s)|\d+(?:\.\d+)?-?(?:[kmgt]?[bwvaghz]|[kmcnµu]?[mglsn]|k|bn|mm|mn|ml|kg|km|cm|khz|mhz|ghz|hz|mb"
    r"|gb|tb|kb|kw|kwh|kv|mw|gw|rpm|psi|bar|nm|in|ft|lb|lbs|oz|hrs?|min|sec|ms|am|pm|x|d|usd|eur|rmb)"
    r"|\d[\d.]*-[a-z-]+|[a-z]+-to-[a-z]+",
    re.IGNORECASE,
)
_NUMBER_OF = re.compile(
    r"(?:\b(?:section|sec\.|clause|article|art\.|paragraph|annex|appendix|schedule|exhibit|no\.|number|№|contract|order"
    r"|invoice|model|version|part|item|§)\s?(?:no\.?\s?|number\s|#\s?)?#?)(?P<number>\d+(?:\.\d+)*(?:\([a-z\d]\))?)(?![\d%])"
    r"|#(?P<hash>\d{2,})\b"
    r"|第(?P<han>[〇零一二三四五六七八九十百千\d.]+)(?P<unit>[条款章节号])"
    r"|(?:编号|合同号|型号|订单号|单号)(?:为|是|：|:)?\s?(?P<han_code>\d+)",
    re.IGNORECASE,
)

_LETTER = rf"[^\W\d_{CJK}]"
_WORD = re.compile(
    rf"{_LETTER}[^\W_{CJK}]*(?:[.&'’-][^\W_{CJK}]+)*(?:['’](?!\w))?"
    rf"|\d{{1,20}}[A-Za-z]+|[.?!;:\n\"“”(),，。？！；：、]|[{CJK}]"
)
_LINKS = frozenset("of the de la le du da di von van der den del & al el bin ibn".split())
# Words that are part of many names and do not distinguish them.
_KINDS = frozenset(
    "university college bank lake river mount mountain street road hospital school institute museum county city"
    " state district province island islands north south east west northern southern eastern western new old great"
    " king queen prince princess emperor pope saint st war battle treaty act bill law court house church party union"
    " league cup award prize festival day century age era empire kingdom republic department ministry office"
    " association society foundation international national world global general first second third fourth last next"
    " company corporation group holdings inc corp co ltd limited llc plc organization organisation agency"
    " council".split()
)
_POSSESSIVE = re.compile(r"['’]s?$")


def things_named(question: str) -> list[NamedThing]:
    """The years, codes and names of a question, each once."""
    question = question[:MAX_QUESTION_CHARACTERS]
    things = [*_years_named(question), *_codes_named(question)]
    coded = {thing.text.casefold() for thing in things} | {term for thing in things for term in thing.terms}
    things += [
        thing for thing in names_in(question) if not (thing.text.casefold() in coded or coded.issuperset(thing.terms))
    ]
    return list({thing.terms: thing for thing in reversed(things)}.values())[::-1]


def years_in(text: str) -> frozenset[int]:
    """The years that a text names: 2019, FY19, fiscal 2019, '19, 二零一九年."""
    found = {year for match in _years(text) if (year := _year_of(match)) is not None}
    return frozenset(found | {int(year[:2] + end) for year, end in _RANGE.findall(text)})


def _years(text: str) -> Iterator[re.Match[str]]:
    """What `_YEAR` finds, in a tenth of the time: it is tried around numbers that may be years alone."""
    for number in _NUMBER.finditer(text):
        start, end = number.span()
        if text[start : start + 2] in ("19", "20") and end - start == 4:
            match = _YEAR.match(text, start)
        elif end - start == 4 or (end - start == 2 and _may_be_short_year(text, start, end)):
            match = next(
                (
                    one
                    for one in _YEAR.finditer(text, max(start - _BEFORE_YEAR, 0), end + _AFTER_YEAR)
                    if one.end() >= end
                ),
                None,
            )
        else:
            continue
        if match and match.end() == end:
            yield match
    yield from _HAN_YEARS.finditer(text)


def _may_be_short_year(text: str, start: int, end: int) -> bool:
    """Whether two digits stand where a short year may: after FY, fiscal, year or an apostrophe, or before 财."""
    before = text[max(start - 2, 0) : start].rstrip()
    return before[-1:] in tuple("FfYyRrLl'’") or text[end : end + 1] == "财"


def _year_of(match: re.Match[str]) -> int | None:
    kind = match.lastgroup
    digits = match[kind] if kind else ""
    if kind == "han":
        digits = "".join(_DIGITS[character] for character in digits)
    if kind in ("short", "quoted", "short_han"):
        digits = f"20{digits}"
    return int(digits) if digits else None


def _years_named(question: str) -> list[NamedThing]:
    return [
        NamedThing(_as_asked(match), Kind.YEAR, (str(year),))
        for match in _YEAR.finditer(question)
        if (year := _year_of(match)) is not None
    ]


def _as_asked(match: re.Match[str]) -> str:
    """A year as the question has it: without the word before it, with the FY written to it."""
    if match["old"]:
        return match["old"]
    before = match.string[: match.start()]
    return before[-2:] + match[0] if re.search(r"\b[FC]Y$", before, re.IGNORECASE) else match[0]


def _codes_named(question: str) -> list[NamedThing]:
    """Words of letters and digits such as X200-B, and numbers of sections, contracts and the like."""
    found = []
    for match in _LETTERS_AND_DIGITS.finditer(question):
        code = match[0].rstrip("./-")
        starts_with_digit = code[0].isdigit() and not any(character.isupper() for character in code)
        if not starts_with_digit and not _NO_CODE.fullmatch(code):
            found.append(NamedThing(code, Kind.CODE, tuple(terms(code)[:1])))
    for match in _NUMBER_OF.finditer(question):
        number = match["number"] or match["hash"] or match["han_code"] or match["han"]
        if not re.fullmatch(r"(?:19|20)\d\d", number):
            found.append(NamedThing(match[0], Kind.CODE, (arabic(number),)))
    return found


def arabic(number: str) -> str:
    """A whole number in Chinese numerals as digits, anything else unchanged: 二十三 -> 23."""
    value = whole_of_han(number)
    return number if value is None else str(value)


# ---- names


def names_in(question: str) -> list[NamedThing]:
    """The names in a question: capitalised words that are not ordinary, and Chinese names by form and place."""
    return [*_capitalised_names(question), *_chinese_names(question)]


@dataclass(frozen=True)
class _Word:
    """A word of the question."""

    start: int
    end: int
    text: str
    first: bool  # of a sentence

    @cached_property
    def bare(self) -> str:
        return _POSSESSIVE.sub("", self.text)

    @cached_property
    def kind(self) -> bool:
        return self.bare.casefold() in _KINDS

    @cached_property
    def ordinary(self) -> bool:
        text = self.bare
        return text.casefold() in _ordinary_words() or _NO_NAME.fullmatch(text) is not None

    @cached_property
    def capital(self) -> bool:
        return any(character.isupper() for character in self.text) and not (self.ordinary and not self.kind)

    @property
    def names(self) -> bool:
        """Whether it can be a name on its own; the first word of a sentence is capitalised anyway."""
        if not self.capital or self.kind or len(self.bare) < 2:
            return False
        return not self.first or self.text != self.bare or any(character.isupper() for character in self.text[1:])


@cache
def _ordinary_words() -> frozenset[str]:
    lines = Path(__file__).with_name("ordinary_words.txt").read_text("utf-8").splitlines()
    return frozenset(word for line in lines if not line.startswith("#") for word in line.split())


def is_ordinary(word: str) -> bool:
    """Whether a word names nothing, although it may be capitalised."""
    return word.casefold() in _ordinary_words()


def _capitalised_names(question: str) -> list[NamedThing]:
    words = _words(question)
    spelt = [word for word in words if len(word.text) > 3 and not word.first]
    if len(spelt) >= 3 and all(word.text[0].isupper() for word in spelt) and not mainly_chinese(question):
        return []  # set in capitals or as a title: capitals tell nothing
    found = []
    for run in _runs(words):
        own = terms(" ".join(word.bare for word in run)) if any(not word.kind for word in run) else []
        if own and any(word.names or len(run) > 1 for word in run):
            text = question[run[0].start : run[-1].end]
            found.append(NamedThing(_POSSESSIVE.sub("", text), Kind.NAME, tuple(dict.fromkeys(own))))
    return found


def _words(question: str) -> list[_Word]:
    """The words of the question in alphabetic scripts; marks and Chinese characters part them."""
    words: list[_Word] = []
    first = not mainly_chinese(question)  # among Chinese characters, capitals always tell
    for match in _WORD.finditer(question):
        text = match[0]
        if text[0].isalnum() and not is_cjk(text[0]):
            words.append(_Word(match.start(), match.end(), text, first))
            first = False
        else:
            words.append(_Word(match.start(), match.start(), "", first=False))
            first = first or text in ".?!:;\n"
    return words


def _runs(words: list[_Word]) -> Iterable[list[_Word]]:
    """Capitalised words that stand together, with small links between them ("Bank of America")."""
    run: list[_Word] = []
    links: list[_Word] = []
    for word in [*words, _Word(0, 0, "", first=False)]:
        if word.capital:
            run += [*links, word]
            links = []
        elif run and not links and word.text in _LINKS and (run[-1].kind or not run[-1].first):
            links = [word]
        if run and (word.text.endswith(("'s", "’s", "'", "’")) or not (word.capital or links)):
            yield run
            run, links = [], []


# Words between the names and things of a Chinese question, at which it is cut.
_HAN_CUT = re.compile(
    rf"[^{COMMON_HAN}·]+|是谁|谁是|是什么|什么是|什么|为什么|为何|多少|多大|多长|多久|多高|哪[一个些位年里家种]*|何时|何地|如何|怎么样?|怎样"
    r"|有多少|有几|有哪|有什么|是否|有没有|能否|可以|根据|关于|对于|按照|以及|或者|还是|并且|分别|的|了|吗|呢|是|在|被|把"
    r"|年度?|月份?|日|财年|季度|期间|上半|下半|去年|今年|当年|谁|几"
    rf"|(?<=[{COMMON_HAN}]{{2}})[和与及跟或](?=[{COMMON_HAN}]{{2}})"
)
_POLITE = re.compile(r"^(?:请问|请告诉我|告诉我|我想知道|你知道|请|根据文档|根据资料)+[，,：:]?")
_HAN_SUFFIX = re.compile(
    rf"[{COMMON_HAN}·]{{2,12}}?(?:有限公司|股份公司|公司|集团|银行|大学|学院|医院|基金会|协会|研究所|研究院|委员会|有限合伙)"
)
_HAN_QUOTED = re.compile(r"《([^《》]{2,30})》|“([^“”]{2,20})”|「([^「」]{2,20})」")
_HAN_GENERIC = re.compile(
    r"有限公司|股份公司|公司|集团|银行|大学|学院|医院|基金会|协会|研究所|研究院|委员会|有限合伙|股份|有限|报告|合同|协议|文件|年报|文档|编号"
)
_HAN_FOREIGN = frozenset(
    "阿埃艾安奥巴贝比彼波伯博布查达丹德迪蒂杜多厄恩尔法菲费芬弗福戈格古哈海汉赫亨胡霍基吉加贾杰金卡凯坎康柯科克肯库昆拉莱兰朗劳勒雷"
    "里利丽莉林琳隆卢鲁路伦罗洛马玛迈麦曼梅蒙米密明莫姆穆内纳奈尼妮诺努欧帕佩皮珀普奇乔切琼热瑞萨塞桑沙莎舍圣施史斯思苏索塔泰坦汤特"
    "提图托瓦万威韦维温沃乌西希夏肖谢辛休雅亚扬耶伊英尤于约泽扎兹佐朱茨顿森逊伽娜娅黛蕾薇"
)


def _chinese_names(question: str) -> list[NamedThing]:
    """Names in Chinese characters: quoted, with a company's ending, of foreign sound, listed, or at the start.

    What a question starts with is not a name if it starts with a word of the dictionary.
    """
    certain = [next(group for group in match.groups() if group) for match in _HAN_QUOTED.finditer(question)]
    uncertain: list[str] = []
    question = _POLITE.sub("", _NUMBER_OF.sub(" ", _YEAR.sub(" ", question)).strip())
    pieces = [piece for piece in _HAN_CUT.split(question) if piece]
    for n, piece in enumerate(pieces):
        suffixed = _HAN_SUFFIX.match(piece)
        bare = _HAN_GENERIC.sub("", piece)
        foreign = len(bare) >= 2 and ("·" in bare or (len(bare) >= 3 and set(bare) <= _HAN_FOREIGN))
        in_front = n == 0 and len(pieces) > 1 and 2 <= len(bare) <= 8 and question.startswith(piece)
        listed = listed_at_start(piece) if in_front else piece if translations(piece) else ""
        if suffixed or foreign:
            certain.append(_without_verbs(suffixed[0]) if suffixed else piece)
        elif listed or (in_front and not han_words(piece)[0].known):
            uncertain.append(listed or piece)
    return [
        NamedThing(text, Kind.NAME, tuple(dict.fromkeys(own)), text in certain)
        for text in [*certain, *uncertain]
        if (own := [term for part in _HAN_GENERIC.split(text) for term in terms(part)])
    ]


def _without_verbs(name: str) -> str:
    """A name that ends as a company's does, without the verbs and adverbs before it: 批评欧盟委员会 -> 欧盟委员会."""
    start = end = 0
    for word in han_words(name):
        end += len(word.text)
        if word.known and not word.noun and len(_HAN_GENERIC.sub("", name[end:])) >= 2:
            start = end
    return name[start:]
