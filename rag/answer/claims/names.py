"""Proper names in a text: capitalised words, acronyms, and Chinese strings that look like names."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import Final

from rag.answer.claims.lexicon import opposites, synonyms
from rag.answer.claims.tokens import Analysed, Token

_NOT_NAMES: Final = frozenset(
    "i january february march april may june july august september october november december monday tuesday wednesday"
    " thursday friday saturday sunday the company companies our group table note notes item items form section figure"
    " page chapter appendix source sources document report answer yes no fiscal year years fy q1 q2 q3 q4 mr mrs ms"
    " dr st inc corp firm furthermore moreover additionally consequently meanwhile nevertheless nonetheless"
    " accordingly likewise finally overall specifically notably importantly ltd llc plc co us u.s usd eur gbp rmb"
    " gaap total net board directors".split()
)
# Characters that foreign names are written with in Chinese, and endings of places, people and organisations.
_TRANSLITERATING: Final = frozenset(
    "阿埃艾爱安奥巴贝本比彼波伯勃布查达戴丹道德邓迪蒂丁多恩尔法菲费芬弗福盖戈格根古哈海汉赫亨胡霍基吉加杰"
    "金卡凯坎康柯科克肯库拉莱兰朗劳"
    "勒雷里利丽莉连列林琳卢鲁路伦罗洛马玛迈曼梅蒙米密摩莫姆穆纳娜内尼妮努诺欧帕佩皮普奇乔切琼让茹瑞萨塞桑"
    "沙莎圣斯史苏索塔泰坦汤特提图托"
    "瓦维韦威温沃乌武希西夏谢辛休雅亚扬耶伊因尤约泽詹珍朱兹佐"
)
_SURNAMES: Final = frozenset(
    "王李张刘陈杨赵黄周吴徐孙胡朱林郭马罗梁宋郑谢韩唐冯董萧程曹袁邓许傅沈曾彭吕苏卢蒋蔡贾丁魏薛叶阎"
    "余潘杜戴钟汪任姜范姚谭廖"
    "邹熊陆郝孔崔康邱秦史顾侯邵孟龙段汤尹黎易武乔贺赖龚"
)
_ENDINGS: Final = (
    "省 市 县 区 州 国 府 镇 村 山 河 江 湖 海 岛 港 湾 洋 洲 公司 集团 银行 大学 学院 医院 研究所 委员会 法院 教会"
    " 帝国 王朝 王国 共和国 联盟 协会 基金会 党 军 队 族 语 派 教 寺 大厦 博物馆 机场 车站 铁路 队"
).split()
_PLACES: Final = frozenset(
    "中国 美国 英国 法国 德国 日本 韩国 俄罗斯 印度 巴西 加拿大 意大利 西班牙 葡萄牙 荷兰 瑞士 瑞典 挪威 丹麦 芬兰"
    " 波兰 奥地利 希腊 土耳其 埃及 以色列 伊朗 伊拉克 沙特 澳大利亚 新西兰 墨西哥 阿根廷 智利 秘鲁 古巴 南非 肯尼亚"
    " 尼日利亚 越南 泰国 新加坡 马来西亚 印度尼西亚 菲律宾 北京 上海 天津 重庆 广州 深圳 杭州 南京 武汉 成都 西安"
    " 苏州 香港 澳门 台湾 台北 东京 大阪 首尔 伦敦 巴黎 柏林 罗马 纽约 华盛顿 洛杉矶 旧金山 芝加哥 波士顿 莫斯科 悉尼"
    " 欧洲 亚洲 非洲 北美 南美 美洲 大洋洲 苏联 欧盟 联合国 北约 广东 浙江 江苏 山东 河南 河北 湖南 湖北 四川 福建"
    " 安徽 江西 辽宁 吉林 黑龙江 陕西 山西 甘肃 青海 云南 贵州 海南 广西 内蒙古 西藏 新疆 宁夏".split()
)
_MIN_NAME = 2
_TRANSLITERATION_SHARE = 0.66


@functools.cache
def _common_words() -> frozenset[str]:
    """English words that are not names even if a sentence starts with them."""
    return frozenset((Path(__file__).parent / "common_words.txt").read_text("utf-8").split())


def find_names(analysed: Analysed) -> list[int]:
    """Indices of the tokens that belong to names in an alphabetic script."""
    words = [token.text for token in analysed.tokens if token.text[:1].isalpha() and not token.is_han]
    if sum(word[0].isupper() for word in words) > 0.7 * max(len(words), 1) and len(words) > 4:
        return []  # a heading, or all in capitals
    return [index for index, token in enumerate(analysed.tokens) if _is_name(token)]


def _is_name(token: Token) -> bool:
    word = token.text
    lower = word.lower()
    if token.quantity < 0 and any(map(str.isdigit, word)):  # a code
        return True
    if token.quantity >= 0 or token.is_han or not any(map(str.isupper, word)) or lower in _NOT_NAMES:
        return False
    if not word[0].isupper():  # iPhone, 3M
        return len(word) > 1
    if len(word) == 1:
        return False
    return word.isupper() or not is_common(token)


def is_common(token: Token) -> bool:
    """Whether a word is a common one even though it may be capitalised."""
    return token.text.lower() in _common_words() or token.key in opposites() or token.key in synonyms()


def begins_han_name(pair: str) -> bool:
    """Whether two Chinese characters may start a person's name: a surname, and not a known word."""
    return pair[0] in _SURNAMES and pair not in synonyms() and pair not in opposites() and pair not in _PLACES


def is_place(text: str) -> bool:
    """Whether a Chinese string is a well-known place."""
    return text in _PLACES


def looks_like_han_name(text: str) -> bool:
    """Whether a Chinese string looks like the name of a person, a place or an organisation."""
    if len(text) < _MIN_NAME:
        return False
    if text in _PLACES or any(text.startswith(place) for place in _PLACES):
        return True
    if any(text.endswith(ending) and len(text) > len(ending) for ending in _ENDINGS):
        return True
    if text[0] in _SURNAMES and len(text) <= 3:
        return True
    return sum(character in _TRANSLITERATING for character in text) >= _TRANSLITERATION_SHARE * len(text)
