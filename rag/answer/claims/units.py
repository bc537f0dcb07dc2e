"""Units of measurement, currencies and scale words: their spellings and what they amount to."""

from __future__ import annotations

import re
from typing import Final

# Spellings -> factor. Letters alone ("m", "bn") are scales only behind a currency sign.
SCALES: Final = {
    "hundred": 1e2, "thousand": 1e3, "thousands": 1e3, "million": 1e6, "millions": 1e6, "mn": 1e6, "billion": 1e9,
    "billions": 1e9, "bn": 1e9, "trillion": 1e12, "trillions": 1e12, "百": 1e2, "千": 1e3, "万": 1e4, "萬": 1e4,
    "十万": 1e5, "百万": 1e6, "百萬": 1e6, "千万": 1e7, "千萬": 1e7, "亿": 1e8, "億": 1e8, "十亿": 1e9, "十億": 1e9,
    "百亿": 1e10, "千亿": 1e11, "万亿": 1e12, "萬億": 1e12, "兆": 1e12,
}  # fmt: skip
LETTER_SCALES: Final = {"k": 1e3, "m": 1e6, "mm": 1e6, "b": 1e9, "t": 1e12}

# unit: factor to its base: spellings. Units convert into one another where they share a base.
_TABLE: Final = """
month 12 years year yrs yr 年 周年 年期
month 3 quarters 季度
month 1 months month 个月 個月
day 7 weeks week wks 周 星期 礼拜
day 1 days day business-days working-days 天 日 工作日
minute 60 hours hour hrs hr 小时 小時
minute 1 minutes minute mins min 分钟 分鐘
second 1 seconds second secs sec 秒 秒钟
second 0.001 milliseconds millisecond ms 毫秒
metre 1000 kilometers kilometer kilometres kilometre km 公里 千米
metre 1 meters meter metres metre m 米 公尺
metre 0.01 centimeters centimeter centimetres centimetre cm 厘米 公分
metre 0.001 millimeters millimeter millimetres millimetre mm 毫米
mile 1 miles mile mi 英里
foot 1 feet foot ft 英尺
foot 3 yards yard yd 码
inch 1 inches inch 英寸
square-metre 1e6 square-kilometers square-kilometres km2 km² 平方公里 平方千米
square-metre 1 square-meters square-metres m2 m² 平方米
square-metre 1e4 hectares hectare ha 公顷
square-mile 1 square-miles 平方英里
square-foot 1 square-feet 平方英尺
acre 1 acres acre 英亩
mu 1 亩
gram 1e6 tonnes tonne 公吨 吨
gram 1000 kilograms kilogram kg kgs 公斤 千克
gram 1 grams gram g 克
gram 0.001 milligrams milligram mg 毫克
ton 1 tons ton
pound-weight 1 lbs lb 磅
ounce 1 ounces ounce oz 盎司
litre 1 liters liter litres litre 升
litre 0.001 milliliters milliliter millilitres ml 毫升
cubic-metre 1 cubic-meters cubic-metres m3 m³ 立方米
gallon 1 gallons gallon 加仑
barrel 1 barrels barrel 桶
degree-celsius 1 °c ℃ 摄氏度
degree-fahrenheit 1 °f ℉ 华氏度
degree 1 degrees degree ° 度
watt 1e9 gigawatts gigawatt gw 吉瓦
watt 1e6 megawatts megawatt mw 兆瓦
watt 1000 kilowatts kilowatt kw 千瓦
watt 1 watts watt w 瓦 瓦特
watt-hour 1e9 gwh
watt-hour 1e6 mwh 兆瓦时
watt-hour 1000 kwh kilowatt-hours 千瓦时
volt 1000 kilovolts kv 千伏
volt 1 volts volt v 伏 伏特
ampere 1 amperes ampere amps amp 安培
hertz 1e9 ghz
hertz 1e6 mhz 兆赫
hertz 1e3 khz 千赫
hertz 1 hertz hz 赫兹
pascal 1e6 mpa 兆帕
pascal 1000 kpa 千帕
pascal 1 pascals pascal pa 帕
bar 1 bars bar 巴
byte 1e12 terabytes tb
byte 1e9 gigabytes gb
byte 1e6 megabytes mb
byte 1e3 kilobytes kb
times 1 times fold 倍
USD 1 us-dollars u.s.-dollars dollars dollar usd us$ $ 美元 美金
USD 0.01 cents cent 美分
CNY 1 yuan renminbi rmb cny 元 人民币 圆 块钱
CNY 0.1 角
EUR 1 euros euro eur € 欧元
GBP 1 pounds-sterling pounds pound sterling gbp £ 英镑
GBP 0.01 pence p
JPY 1 yen jpy 日元
YEN-SIGN 1 ¥ ￥
HKD 1 hong-kong-dollars hkd hk$ 港元 港币
TWD 1 nt$ twd 新台币
CAD 1 canadian-dollars cad c$ ca$ 加元
AUD 1 australian-dollars aud a$ au$ 澳元
INR 1 rupees inr ₹ 卢比
KRW 1 won krw ₩ 韩元
CHF 1 chf 瑞士法郎
RUB 1 rubles roubles rub 卢布
"""
UNITS: Final[dict[str, tuple[str, float]]] = {
    spelling.replace("-", " ") if not spelling.endswith("-hours") else spelling: (base, float(factor))
    for base, factor, *spellings in (line.split() for line in _TABLE.strip().splitlines())
    for spelling in spellings
}
CURRENCIES: Final = frozenset({base for base, _ in UNITS.values() if base.isupper()})
POINTS: Final = "percentage-point"
BASIS_POINTS: Final = "basis-point"
_PERCENT: Final = {
    "%": "%", "percent": "%", "per cent": "%", "pct": "%", "percentage points": POINTS, "percentage point": POINTS,
    "个百分点": POINTS, "百分点": POINTS, "basis points": BASIS_POINTS, "basis point": BASIS_POINTS,
    "bps": BASIS_POINTS, "个基点": BASIS_POINTS, "基点": BASIS_POINTS, "‰": "‰",
}  # fmt: skip


def _alternatives(spellings: list[str]) -> str:
    return "|".join(re.escape(one).replace(r"\ ", r"[\s-]") for one in sorted(spellings, key=len, reverse=True))


def _ends(spellings: list[str]) -> str:
    """The spellings, those in letters not inside a longer word."""
    letters = [one for one in spellings if one[-1].isascii() and one[-1].isalnum()]
    others = [one for one in spellings if one not in letters]
    return rf"(?:{_alternatives(letters)})(?![A-Za-z])|(?:{_alternatives(others)})"


_BEFORE = [one for one, (base, _) in UNITS.items() if base in CURRENCIES and not one.endswith("s") and one != "元"]
CURRENCY_BEFORE: Final = re.compile(rf"(?:{_alternatives(_BEFORE)})\s?[(]?[-−]?\s?\Z", re.IGNORECASE)
SCALE_AFTER: Final = re.compile(rf"[\s-]?(?:{_ends(list(SCALES))})", re.IGNORECASE)
LETTER_SCALE_AFTER: Final = re.compile(rf"\s?(?:{'|'.join(LETTER_SCALES)})(?![A-Za-z])", re.IGNORECASE)
PERCENT_AFTER: Final = re.compile(rf"[)]?[\s-]?(?:{_ends(list(_PERCENT))})", re.IGNORECASE)
_BETWEEN: Final = "(?:operating|consecutive|calendar|business|working|full|additional|whole|more|further)"
UNIT_AFTER: Final = re.compile(
    rf"[)]?[\s-]?(?:{_BETWEEN}\s)?(?:多|余)?[个個]?(?:{_ends(list(UNITS))})(?!(?<=[$€£¥])\s?\d)", re.IGNORECASE
)


def unit_named(text: str) -> tuple[str, float]:
    """Base and factor of a unit as it is spelled, ("", 1) if it is none."""
    key = re.sub(rf"\A{_BETWEEN}\s", "", text.strip(" -)(多余").lower()).replace("-", " ").replace("\n", " ")
    return UNITS.get(key) or UNITS.get(key.strip("个個")) or UNITS.get(key.replace(" ", "-")) or ("", 1.0)


def percent_named(text: str) -> str:
    """The kind of percentage: "%", POINTS or BASIS_POINTS."""
    return _PERCENT[text.strip(" -)").lower().replace("-", " ").replace("\n", " ")]


def scale_named(text: str) -> float:
    """The factor of a scale word or letter."""
    key = text.strip(" -").lower()
    return SCALES.get(key) or LETTER_SCALES[key]
