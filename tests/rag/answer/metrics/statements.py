"""Statements of made-up companies, as pages of a store: lines of "label | cell | cell"."""

from __future__ import annotations

from rag.records import Box, PageKind, WordBoxes
from rag.store.rows import StoredPage

CHARACTER = 0.006  # width, fraction of the page
RIGHT_EDGES = (0.60, 0.75, 0.90)  # of the columns


def page(number: int, lines: str, start: int = 0) -> StoredPage:
    """A page whose lines stand below one another, cells flush right in their columns."""
    text = ""
    words: list[tuple[int, int, Box]] = []
    for index, line in enumerate(lines.strip().splitlines()):
        label, *cells = (part.strip() for part in line.split("|"))
        top = 0.05 + 0.02 * index
        placed = [(label, 0.05)] if label else []
        edges = RIGHT_EDGES[len(RIGHT_EDGES) - len(cells) :]
        placed += [(cell, edge - len(cell) * CHARACTER) for cell, edge in zip(cells, edges, strict=True) if cell]
        for part, left in placed:
            for word in part.split():
                begin = len(text)
                text += word
                right = left + len(word) * CHARACTER
                words.append((begin, len(text), (left, top, right, top + 0.012)))
                text += " "
                left = right + CHARACTER
        text = text.rstrip(" ") + "\n"
    return StoredPage(number, str(number + 1), PageKind.TEXT, start, text, WordBoxes.of(words), None)


def pages(*texts: str) -> list[StoredPage]:
    """Pages one after another."""
    made: list[StoredPage] = []
    for number, text in enumerate(texts):
        made.append(page(number, text, sum(len(one.text) for one in made)))
    return made


PROSE = """
Northwind Traders sells pumps and valves to water works in eleven countries.
Total revenue grew, and net income with it; cash flows from operating activities were strong.
"""

INCOME = """
NORTHWIND TRADERS, INC.
CONSOLIDATED STATEMENTS OF INCOME
(In millions, except per share data)
Year ended December 31, | 2023 | 2022 | 2021
Net sales | $ 1,000 | $ 800 | $ 640
Cost of sales | 600 | 500 | 400
Gross profit | 400 | 300 | 240
Selling, general and administrative | 150 | 120 | 100
Research and development | 50 | 40 | 30
Operating income | 200 | 140 | 110
Interest expense | (20) | (20) | (10)
Income before income taxes | 180 | 120 | 100
Provision for income taxes | 45 | 24 | 25
Net income | $ 135 | $ 96 | $ 75
Earnings per share:
Basic | $ 1.40 | $ 1.00 | $ 0.80
Diluted | $ 1.35 | $ 0.96 | $ 0.75
"""

BALANCE = """
NORTHWIND TRADERS, INC.
CONSOLIDATED BALANCE SHEETS
(In millions)
| December 31, 2023 | December 31, 2022
Current assets:
Cash and cash equivalents | $ 100 | $ 60
Short-term investments | 50 | 40
Accounts receivable, net of allowance of $4 and $3 | 120 | 80
Inventories | 130 | 110
Total current assets | 400 | 290
Property, plant and equipment, net | 500 | 300
Goodwill | 100 | 100
Total assets | $ 1,000 | $ 690
Current liabilities:
Accounts payable | $ 90 | $ 60
Current portion of long-term debt | 10 | 10
Accrued expenses | 60 | 50
Total current liabilities | 160 | 120
Long-term debt | 240 | 190
Total liabilities | 400 | 310
Retained earnings | 350 | 200
Total stockholders' equity | 600 | 380
Total liabilities and stockholders' equity | $ 1,000 | $ 690
"""

CASH = """
NORTHWIND TRADERS, INC.
CONSOLIDATED STATEMENTS OF CASH FLOWS
(In millions)
Year ended December 31, | 2023 | 2022 | 2021
Cash flows from operating activities:
Net income | $ 135 | $ 96 | $ 75
Depreciation and amortization | 50 | 40 | 30
Inventories | (20) | (10) | (5)
Net cash provided by operating activities | 210 | 150 | 110
Cash flows from investing activities:
Purchases of property, plant and equipment | (80) | (60) | (32)
Net cash used in investing activities | (80) | (60) | (32)
Cash flows from financing activities:
Dividends paid | (27) | (24) | (15)
Repurchases of common stock | (30) | (10) | —
Net cash used in financing activities | (57) | (34) | (15)
Cash and cash equivalents at end of year | $ 100 | $ 60 | $ 40
"""

SEGMENTS = """
NOTE 14 – REPORTABLE SEGMENTS
(In millions)
Year ended December 31, | 2023 | 2022 | 2021
Net sales | $ 400 | $ 300 | $ 200
Cost of sales | 250 | 190 | 130
Operating income | 90 | 70 | 40
Income before income taxes | 80 | 60 | 30
Net income | 60 | 50 | 20
"""

利润表 = """
北风泵业股份有限公司
合并利润表
单位：万元
项目 | 2023年度 | 2022年度
一、营业收入 | 10,000 | 8,000
减：营业成本 | 6,000 | 5,000
销售费用 | 500 | 400
研发费用 | 700 | 500
三、营业利润 | 2,000 | 1,500
四、利润总额 | 1,900 | 1,400
减：所得税费用 | 475 | 350
五、净利润 | 1,425 | 1,050
基本每股收益 | 0.95 | 0.70
"""

资产负债表 = """
北风泵业股份有限公司
合并资产负债表
单位：万元
项目 | 2023年12月31日 | 2022年12月31日
货币资金 | 1,500 | 900
应收账款 | 1,200 | 800
存货 | 1,300 | 1,100
流动资产合计 | 4,500 | 3,200
固定资产 | 5,000 | 4,000
资产总计 | 10,000 | 8,000
应付账款 | 900 | 700
流动负债合计 | 1,800 | 1,500
负债合计 | 4,000 | 3,500
未分配利润 | 2,500 | 1,500
股东权益合计 | 6,000 | 4,500
负债和股东权益总计 | 10,000 | 8,000
"""

现金流量表 = """
北风泵业股份有限公司
合并现金流量表
单位：万元
项目 | 2023年度 | 2022年度
经营活动产生的现金流量净额 | 2,100 | 1,500
购建固定资产、无形资产和其他长期资产支付的现金 | 800 | 600
投资活动产生的现金流量净额 | (800) | (600)
分配股利、利润或偿付利息支付的现金 | 300 | 200
筹资活动产生的现金流量净额 | (300) | (200)
期末现金及现金等价物余额 | 1,500 | 900
"""

NORTHWIND = (PROSE, SEGMENTS, INCOME, BALANCE, CASH)
北风 = (利润表, 资产负债表, 现金流量表)
