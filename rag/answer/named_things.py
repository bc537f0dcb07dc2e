"""The years, names and codes that a question names, in English and Chinese, and whether a text holds them.

By spelling alone. A question in another script than a text can be compared by its years, its codes and its Latin names.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import StrEnum
from itertools import pairwise

from rag.index.tokenize import terms
from rag.language import CJK, COMMON_HAN, find_han, is_cjk, mainly_chinese


class Kind(StrEnum):
    """What a named thing is."""

    YEAR = "year"
    NAME = "name"  # of a person, a company, a product, a place
    CODE = "code"  # of a contract, a model, a section


@dataclass(frozen=True, slots=True)
class NamedThing:
    """A year, name or code of a question."""

    text: str  # as the question has it
    kind: Kind
    terms: tuple[str, ...]  # in order, each once; a year as four digits

    @property
    def chinese(self) -> bool:
        """Whether it is written in Chinese characters, and so cannot be found in a text of another script."""
        return self.kind is Kind.NAME and mainly_chinese(self.text)


MAX_QUESTION_CHARACTERS = 1_000  # of a question that is looked at
_DIGITS = dict(zip("〇零○一二三四五六七八九", "000123456789", strict=True))
_HAN_YEAR = r"[〇零○一二三四五六七八九]{4}"
# A year of four digits; from 1000 to 1899 only where a word says so, since it is as likely a number.
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
_PERIOD_OR_FORM = re.compile(r"(?:[FC]Y|F)['’]?(?:\d\d){1,2}|[QH][1-4]|[1-4][QH]|\d+-?[KQ]", re.IGNORECASE)
_RANGE = re.compile(r"(?<!\d)((?:19|20)\d\d)\s?[-–/]\s?(\d\d)(?!\d)")  # 2015-16
_LETTERS_AND_DIGITS = re.compile(
    r"(?<![\w.-])(?=[\w./-]{0,30}\d)(?=[\w./-]{0,30}[A-Za-z])[A-Za-z0-9]+(?:[-./][A-Za-z0-9]+)*(?![\w-])", re.ASCII
)
# What looks like a code and is none: kinds of reports, quarters, years, ordinals, amounts with a unit, "12-month".
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
    rf"{_LETTER}[^\W_{CJK}]*(?:[.&'’-][^\W_{CJK}]+)*(?:['’](?!\w))?|\d+[A-Za-z]+|[.?!;:\n\"“”(),，。？！；：、]|[{CJK}]"
)
_LINKS = frozenset("of the de la le du da di von van der den del & al el bin ibn".split())
# Capitalised words that name nothing: those that begin questions, titles, months, units, terms of accounts.
_ORDINARY = frozenset(
    """a an the what which who whom whose when where why how is are was were do does did has have had can could should
    will would may might must in on at by for from to of with about and or but if as than then that this these those
    there it its they he she we i you my our your their according based give given list name explain describe summarize
    summarise tell show state define calculate compute compare find identify please using use assuming assume provide
    discuss discuss determine during after before between among since until while under over between per each every any
    all both some no not also however within without regarding concerning considering besides apart roughly approximately
    gdp gnp cpi vat kpi url usb led lcd dna rna api cpu gpu ram pc
    january february march april may june july august september october november december monday tuesday wednesday
    thursday friday saturday sunday jan feb mar apr jun jul aug sep sept oct nov dec
    ceo cfo coo cto cio chro evp svp vp eps ebitda ebit ebita gaap ifrs usd eur gbp rmb cny us u.s u.s. usa uk u.k u.k. eu
    fy fiscal q1 q2 q3 q4 h1 h2 r&d sg&a pp&e ppe ppne cogs capex opex roa roe roi roic roce dpo dso dio ccc cagr yoy qoq
    p&l md&a sec pdf faq hr it ai tv id ok vs inc corp corporation co company ltd limited llc plc group holdings holding
    mr mrs ms miss dr prof sir president chairman chairwoman director directors board chief executive officer vice
    secretary treasurer manager minister section article clause table figure chapter form annual report note item page
    appendix annex schedule exhibit part paragraph question answer quarter year company's agreement contract policy
    manual party net income revenue revenues sales total operating cash flow statement balance sheet assets liabilities
    equity ratio margin gross profit loss cost costs expense expenses current capital expenditure statements financial
    consolidated position operations interest tax taxes share shares stock dividend dividends earnings per basic diluted""".split()
)
# Words that are part of many names and tell none apart.
_KINDS = frozenset(
    """university college bank lake river mount mountain street road hospital school institute museum county city state
    district province island islands north south east west northern southern eastern western new old great king queen
    prince princess emperor pope saint st war battle treaty act bill law court house church party union league cup
    award prize festival day century age era empire kingdom republic department ministry office association society
    foundation international national world global general first second third fourth last next company corporation
    group holdings inc corp co ltd limited llc plc international organization organisation agency council""".split()
)
_POSSESSIVE = re.compile(r"['’]s?$|['’]$")
_SAME = (  # names of countries and their people that do not begin alike, and usual short forms
    frozenset({"france", "french"}),
    frozenset({"britain", "british", "uk", "england", "english"}),
    frozenset({"netherlands", "dutch", "netherland", "holland"}),
    frozenset({"spain", "spanish", "spaniard"}),
    frozenset({"poland", "polish", "pole"}),
    frozenset({"china", "chinese"}),
    frozenset({"wales", "welsh"}),
    frozenset({"ireland", "irish"}),
    frozenset({"greece", "greek"}),
    frozenset({"norway", "norwegian"}),
    frozenset({"denmark", "danish", "dane"}),
    frozenset({"sweden", "swedish"}),
    frozenset({"turkey", "turkish"}),
    frozenset({"switzerland", "swiss"}),
    frozenset({"scotland", "scottish", "scot"}),
    frozenset({"america", "american"}),
)
_ENDINGS = frozenset("s es n an ian ean ese ish ic al i y ite er ers ans ians 's".split())


def things_named(question: str) -> list[NamedThing]:
    """The years, codes and names of a question, each once."""
    question = question[:MAX_QUESTION_CHARACTERS]
    things = [*_years_named(question), *_codes_named(question)]
    coded = {term for thing in things for term in thing.terms}
    things += [thing for thing in names_in(question) if not coded.issuperset(thing.terms)]
    return list({thing.terms: thing for thing in reversed(things)}.values())[::-1]


def years_in(text: str) -> frozenset[int]:
    """The years that a text names: 2019, FY19, fiscal 2019, '19, 二零一九年."""
    found = {year for match in _YEAR.finditer(text) if (year := _year_of(match)) is not None}
    return frozenset(found | {int(year[:2] + end) for year, end in _RANGE.findall(text)})


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
    """A whole number below 10,000 in Chinese numerals as digits, anything else as it is: 二十三 -> 23."""
    if not number or not set(number) <= {*_DIGITS, "十", "百", "千"}:
        return number
    if not set(number) & {"十", "百", "千"}:
        return "".join(_DIGITS[character] for character in number)
    total, digit = 0, 0
    for character in number:
        if character in _DIGITS:
            digit = int(_DIGITS[character])
        else:
            total += (digit or 1) * {"十": 10, "百": 100, "千": 1000}[character]
            digit = 0
    return str(total + digit)


# ---- names


def names_in(question: str) -> list[NamedThing]:
    """The names of a question: capitalised words that are no ordinary ones, and Chinese names by form and place."""
    return [*_capitalised_names(question), *_chinese_names(question)]


@dataclass(frozen=True, slots=True)
class _Word:
    """A word of the question."""

    start: int
    end: int
    text: str
    first: bool  # of a sentence

    @property
    def bare(self) -> str:
        return _POSSESSIVE.sub("", self.text)

    @property
    def kind(self) -> bool:
        return self.bare.casefold() in _KINDS

    @property
    def ordinary(self) -> bool:
        text = self.bare
        return text.casefold() in _ORDINARY or _PERIOD_OR_FORM.fullmatch(text) is not None

    @property
    def capital(self) -> bool:
        return any(character.isupper() for character in self.text) and not (self.ordinary and not self.kind)

    @property
    def names(self) -> bool:
        """Whether it can be a name on its own; the first word of a sentence is capitalised anyway."""
        if not self.capital or self.kind or len(self.bare) < 2:
            return False
        return not self.first or self.text != self.bare or any(character.isupper() for character in self.text[1:])


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
        elif run and not links and word.text in _LINKS:
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
    """Names in Chinese characters: in quotation marks, with the ending of a company, of foreign sound, or in front."""
    found = [next(group for group in match.groups() if group) for match in _HAN_QUOTED.finditer(question)]
    question = _POLITE.sub("", _NUMBER_OF.sub(" ", _YEAR.sub(" ", question)).strip())
    pieces = [piece for piece in _HAN_CUT.split(question) if piece]
    for n, piece in enumerate(pieces):
        suffixed = _HAN_SUFFIX.match(piece)
        bare = _HAN_GENERIC.sub("", piece)
        foreign = len(bare) >= 2 and ("·" in bare or (len(bare) >= 3 and set(bare) <= _HAN_FOREIGN))
        in_front = n == 0 and len(pieces) > 1 and 2 <= len(bare) <= 8 and question.startswith(piece)
        if suffixed or foreign or in_front:
            found.append(suffixed[0] if suffixed else piece)
    return [
        NamedThing(text, Kind.NAME, tuple(dict.fromkeys(own)))
        for text in found
        if (own := [term for part in _HAN_GENERIC.split(text) for term in terms(part)])
    ]


# ---- whether a text holds them


@dataclass(frozen=True, slots=True)
class HeldTerms:
    """What of a text is compared with the things of a question."""

    terms: frozenset[str]
    pairs: frozenset[tuple[str, str]]  # neighbouring terms
    years: frozenset[int]
    text: str

    @classmethod
    def of(cls, *texts: str) -> HeldTerms:
        """Of several texts together, such as a passage, its headings and the name of its document."""
        text = "\n".join(texts)
        own = terms(text)
        return cls(frozenset(own), frozenset(pairwise(own)), years_in(text), text)

    @property
    def chinese(self) -> bool:
        """Whether Chinese names can be found in it."""
        return len(find_han(self.text)) >= MIN_HAN

    def holds(self, thing: NamedThing, weight: Callable[[str], float]) -> bool:
        """Whether the text holds a thing; `weight`: the IDF of a term.

        A name of several terms is held by two that stand together, by its last one if that is rare (a surname), by most
        of its rare ones, or by its initials.
        """
        if thing.kind is Kind.YEAR:
            return int(thing.terms[0]) in self.years
        if thing.kind is Kind.CODE:
            return self.terms.issuperset(thing.terms) or self._holds_number(thing)
        if thing.text in self.text or self._holds_initials(thing):
            return True
        if len(thing.terms) == 1:
            return self._holds_term(thing.terms[0])
        if not self.pairs.isdisjoint(pairwise(thing.terms)):
            return True
        weights = {term: weight(term) for term in thing.terms}
        least = MIN_RARITY * weight("")  # nothing is rarer than what no text holds
        rare = {term: weights[term] for term in weights if weights[term] >= least and self._holds_term(term)}
        return thing.terms[-1] in rare or sum(rare.values()) >= MIN_NAME_SHARE * sum(weights.values())

    def _holds_term(self, term: str) -> bool:
        """Whether the text has a term, or another form of it ("Germany", "German")."""
        if term in self.terms:
            return True
        if len(term) < MIN_STEM or not term.isascii():
            return False
        alike = next((same for same in _SAME if term in same), frozenset[str]())
        stems = {term.removesuffix(ending) for ending in _ENDINGS} - {term}
        return (
            not alike.isdisjoint(self.terms)
            or any(term + ending in self.terms for ending in _ENDINGS)
            or any(stem in self.terms for stem in stems if len(stem) >= MIN_STEM)
        )

    def _holds_number(self, thing: NamedThing) -> bool:
        """A section's number in Chinese numerals."""
        return any(arabic(found) == thing.terms[0] for found in _HAN_NUMBER.findall(self.text))

    def _holds_initials(self, thing: NamedThing) -> bool:
        """A name given by its initials ("WHO"), where the text writes it out."""
        if not (thing.text.isascii() and thing.text.isupper() and 3 <= len(thing.text) <= 6 and thing.text.isalpha()):
            return False
        between = r"\w{1,30}[\s-]{1,3}(?:(?:of|the|for|and|on|de)\s{1,3}){0,2}"
        return re.search(r"\b" + between.join(thing.text) + r"\w+", self.text) is not None


_HAN_NUMBER = re.compile(r"第([零〇一二三四五六七八九十百千]{1,7})")
MIN_NAME_SHARE = 0.6  # of the IDF of a name's terms that a text must hold in rare ones
MIN_RARITY = 0.6  # of the IDF of a term that no text holds, from which a term is rare
MIN_HAN = 8  # Chinese characters from which a text is compared with Chinese names
MIN_STEM = 4  # letters of a name that another form of it must share
