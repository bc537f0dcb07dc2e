"""Tables of many structures, drawn with reportlab, and the cells that must be found in them."""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from reportlab.lib import colors
from reportlab.lib.pagesizes import A4
from reportlab.lib.styles import ParagraphStyle
from reportlab.pdfbase import pdfmetrics
from reportlab.pdfbase.cidfonts import UnicodeCIDFont
from reportlab.platypus import Flowable, PageBreak, Paragraph, SimpleDocTemplate, Spacer, Table

from benchmarks.tables import Truth
from tests.rag.pdfs import CHINESE_FONT, LATIN_FONT

Style = list[tuple[object, ...]]


@dataclass(frozen=True)
class Made:
    """A document with tables and some of their cells; none where nothing on it is a table."""

    pdf: bytes
    cells: tuple[Truth, ...]


def _paragraph(text: str, size: float = 9.5) -> Paragraph:
    chinese = any(ord(character) > 0x2000 for character in text)
    font = CHINESE_FONT if chinese else LATIN_FONT
    wrap = "CJK" if chinese else None
    return Paragraph(text, ParagraphStyle("text", fontName=font, fontSize=size, leading=size * 1.25, wordWrap=wrap))


def _document(*story: Flowable) -> bytes:
    pdfmetrics.registerFont(UnicodeCIDFont(CHINESE_FONT))
    file = io.BytesIO()
    SimpleDocTemplate(file, pagesize=A4, leftMargin=60, rightMargin=60).build(list(story))
    return file.getvalue()


def _table(rows: Sequence[Sequence[object]], widths: Sequence[float], *style: tuple[object, ...], font: str) -> Table:
    base: Style = [
        ("FONT", (0, 0), (-1, -1), font, 9.5),
        ("ALIGN", (1, 0), (-1, -1), "RIGHT"),
        ("TOPPADDING", (0, 0), (-1, -1), 1.5),
        ("BOTTOMPADDING", (0, 0), (-1, -1), 1.5),
        ("VALIGN", (0, 0), (-1, -1), "TOP"),
    ]
    return Table(rows, colWidths=widths, style=[*base, *style])


def _spanning() -> Made:
    rows = [
        ["", "Fiscal Year 2018", "", "Fiscal Year 2017", ""],
        ["(dollars in thousands)", "Net Sales", "% of Total", "Net Sales", "% of Total"],
        ["APAC", "$479,987", "40.0%", "$288,764", "38.1%"],
        ["EMEA", "277,898", "23.1", "237,437", "31.4"],
        ["Total", "$757,885", "100.0%", "$526,201", "100.0%"],
    ]
    style = [("SPAN", (1, 0), (2, 0)), ("SPAN", (3, 0), (4, 0)), ("ALIGN", (1, 0), (-1, 0), "CENTER")]
    pdf = _document(_paragraph("Net sales by region"), _table(rows, [150, 80, 70, 80, 70], *style, font=LATIN_FONT))
    return Made(
        pdf,
        (
            Truth("$479,987", "APAC", "2018 Net Sales", scale="thousand"),
            Truth("40.0%", "APAC", "2018 % of Total"),
            Truth("237,437", "EMEA", "2017 Net Sales", scale="thousand"),
            Truth("31.4", "EMEA", "2017 % of Total"),
        ),
    )


def _statement() -> Made:
    rows = [
        ["", "Years ended September 30,", "", "", "", "", ""],
        ["(In millions, except per share data)", "", "2023", "", "2022", "", "2021"],
        ["Revenue:", "", "", "", "", "", ""],
        ["    Products", "$", "64.7", "$", "72.7", "$", "71.1"],
        ["    Services (1)", "", "147.2", "", "125.5", "", "97.0"],
        ["        Total revenue", "", "211.9", "", "198.2", "", "168.1"],
        ["Other expense:", "", "", "", "", "", ""],
        ["    Interest", "", "(12.5)", "", "—", "", "(3.1)"],
        ["    Impairment", "", "", "", "(4.0)", "", ""],
        ["Net income per share, diluted", "$", "9.68", "$", "9.65", "$", "8.05"],
    ]
    style = [("SPAN", (1, 0), (-1, 0)), ("ALIGN", (1, 0), (-1, 0), "CENTER")]
    pdf = _document(
        _paragraph("Consolidated Statements of Income"),
        _table(rows, [190, 15, 60, 15, 60, 15, 60], *style, font=LATIN_FONT),
        _paragraph("(1) Services include support for 12 months. See Note 3."),
    )
    return Made(
        pdf,
        (
            Truth("$64.7", "Products", "September 30, 2023", "Revenue", "million"),
            Truth("125.5", "Services", "September 30, 2022", "Revenue", "million"),
            Truth("168.1", "Total revenue", "September 30, 2021", "Revenue", "million"),
            Truth("(12.5)", "Interest", "September 30, 2023", "Other expense", "million"),
            Truth("(4.0)", "Impairment", "September 30, 2022", "Other expense", "million"),
            Truth("8.05", "Net income per share, diluted", "2021"),
        ),
    )


def _notes_column() -> Made:
    rows = [
        ["", "Note", "2019", "2018"],
        ["", "", "£m", "£m"],
        ["Revenue", "3", "1,210", "1,104"],
        ["Cost of sales", "", "(802)", "(745)"],
        ["Operating profit", "4, 5", "408", "359"],
        ["Finance costs", "6", "(31)", "(28)"],
    ]
    return Made(
        _document(_paragraph("Income statement"), _table(rows, [190, 50, 70, 70], font=LATIN_FONT)),
        (
            Truth("1,210", "Revenue", "2019", scale="million"),
            Truth("(745)", "Cost of sales", "2018", scale="million"),
            Truth("408", "Operating profit", "2019", scale="million"),
            Truth("(28)", "Finance costs", "2018", scale="million"),
        ),
    )


def _ruled() -> Made:
    rows = [
        [_paragraph("Description"), "December 31, 2021", "December 31, 2020"],
        [_paragraph("Trade receivables from customers, net of allowance for credit losses"), "1,963", "1,978"],
        [_paragraph("Contract assets"), "10,579", "9,545"],
        [_paragraph("Inventories held for sale and work in progress at lower of cost or market"), "2,981", "3,545"],
    ]
    grid = ("GRID", (0, 0), (-1, -1), 0.5, colors.black)
    return Made(
        _document(_paragraph("Current assets (in millions)"), _table(rows, [170, 110, 110], grid, font=LATIN_FONT)),
        (
            Truth(
                "1,963",
                "Trade receivables from customers, net of allowance for credit losses",
                "December 31, 2021",
                scale="million",
            ),
            Truth("9,545", "Contract assets", "December 31, 2020", scale="million"),
            Truth(
                "3,545",
                "Inventories held for sale and work in progress at lower of cost or market",
                "December 31, 2020",
                scale="million",
            ),
        ),
    )


def _chinese() -> Made:
    rows = [
        ["项目", "2023年度", "", "2022年度", ""],
        ["", "金额", "占比", "金额", "占比"],
        ["主营业务收入", "12,345.67", "95.20%", "11,000.00", "94.10%"],
        ["其他业务收入", "622.33", "4.80%", "690.12", "5.90%"],
        ["合计", "12,968.00", "100.00%", "11,690.12", "100.00%"],
    ]
    style = [
        ("GRID", (0, 0), (-1, -1), 0.5, colors.black),
        ("SPAN", (1, 0), (2, 0)),
        ("SPAN", (3, 0), (4, 0)),
        ("SPAN", (0, 0), (0, 1)),
        ("ALIGN", (1, 0), (-1, 1), "CENTER"),
    ]
    return Made(
        _document(
            _paragraph("（一）营业收入构成"),
            _paragraph("单位：万元"),
            _table(rows, [110, 85, 65, 85, 65], *style, font=CHINESE_FONT),
        ),
        (
            Truth("12,345.67", "主营业务收入", "2023年度 金额", scale="ten thousand"),
            Truth("95.20%", "主营业务收入", "2023年度 占比"),
            Truth("690.12", "其他业务收入", "2022年度 金额", scale="ten thousand"),
            Truth("100.00%", "合计", "2022年度 占比"),
        ),
    )


def _chinese_balance() -> Made:
    rows = [
        ["项目", "附注", "期末余额", "期初余额"],
        ["流动资产：", "", "", ""],
        ["货币资金", "五、1", "5,123,456.78", "4,000,000.00"],
        [_paragraph("以公允价值计量且其变动计入当期损益的金融资产"), "五、2", "300,000.00", "-"],
        ["应收账款", "五、3", "1,200,345.00", "998,211.50"],
        ["非流动资产：", "", "", ""],
        ["固定资产", "五、9", "8,888,000.00", "9,001,000.10"],
    ]
    grid = ("GRID", (0, 0), (-1, -1), 0.5, colors.black)
    return Made(
        _document(
            _paragraph("合并资产负债表"),
            _paragraph("2023年12月31日　　　　单位：元　币种：人民币"),
            _table(rows, [130, 50, 110, 110], grid, font=CHINESE_FONT),
        ),
        (
            Truth("5,123,456.78", "货币资金", "期末余额", "流动资产"),
            Truth("300,000.00", "以公允价值计量且其变动计入当期损益的金融资产", "期末余额", "流动资产"),
            Truth("998,211.50", "应收账款", "期初余额", "流动资产"),
            Truth("9,001,000.10", "固定资产", "期初余额", "非流动资产"),
        ),
    )


def _continued() -> Made:
    first = [
        ["(in thousands)", "2023", "2022"],
        ["Operating activities:", "", ""],
        ["    Net income", "1,250", "990"],
        ["    Depreciation", "310", "288"],
    ]
    second = [["    Inventories", "(45)", "17"], ["Net cash provided", "1,515", "1,295"]]
    repeated = [
        ["(in thousands)", "2023", "2022"],
        ["Investing activities:", "", ""],
        ["    Purchases", "(700)", "(650)"],
    ]
    widths = [200, 80, 80]
    return Made(
        _document(
            _paragraph("Statements of Cash Flows"),
            _table(first, widths, font=LATIN_FONT),
            PageBreak(),
            _table(second, widths, font=LATIN_FONT),
            PageBreak(),
            _paragraph("Statements of Cash Flows (continued)"),
            _table(repeated, widths, font=LATIN_FONT),
        ),
        (
            Truth("310", "Depreciation", "2023", "Operating activities", "thousand"),
            Truth("(45)", "Inventories", "2023", "Operating activities", "thousand", page=1),
            Truth("1,295", "Net cash provided", "2022", "", "thousand", page=1),
            Truth("(650)", "Purchases", "2022", "Investing activities", "thousand", page=2),
        ),
    )


def _sections_by_year() -> Made:
    rows = [
        ["", "First", "Second", "Third"],
        ["2019", "", "", ""],
        ["Net sales", "$117,625", "$120,684", "$115,651"],
        ["Gross margin", "40,615", "41,204", "37,057"],
        ["2018", "", "", ""],
        ["Net sales", "$113,530", "$118,021", "$118,859"],
        ["Gross margin", "38,433", "41,813", "42,082"],
    ]
    style = [("SPAN", (0, 1), (-1, 1)), ("SPAN", (0, 4), (-1, 4)), ("ALIGN", (0, 1), (-1, 1), "CENTER")]
    style += [("ALIGN", (0, 4), (-1, 4), "CENTER")]
    return Made(
        _document(
            _paragraph("Quarterly data (in thousands)"), _table(rows, [150, 80, 80, 80], *style, font=LATIN_FONT)
        ),
        (
            Truth("$120,684", "Net sales", "Second", "2019", "thousand"),
            Truth("42,082", "Gross margin", "Third", "2018", "thousand"),
        ),
    )


def _specification() -> Made:
    rows = [
        ["Parameter", "Min", "Typ", "Max", "Unit"],
        ["Supply voltage", "2.7", "3.3", "3.6", "V"],
        ["Operating current", "—", "12", "18", "mA"],
        ["Storage temperature", "-40", "", "125", "°C"],
        ["Clock frequency", "", "16", "20", "MHz"],
    ]
    grid = ("GRID", (0, 0), (-1, -1), 0.5, colors.black)
    return Made(
        _document(
            _paragraph("4.2 Electrical characteristics"), _table(rows, [150, 55, 55, 55, 55], grid, font=LATIN_FONT)
        ),
        (
            Truth("3.3", "Supply voltage", "Typ"),
            Truth("18", "Operating current", "Max"),
            Truth("-40", "Storage temperature", "Min"),
            Truth("16", "Clock frequency", "Typ"),
        ),
    )


def _one_row() -> Made:
    rows = [
        ["(Dollars in millions)", "2019", "Change", "2018"],
        ["Interest expense", "$2,082", "3%", "$2,025"],
    ]
    return Made(
        _document(_paragraph("Interest Expense:"), _table(rows, [180, 70, 70, 70], font=LATIN_FONT)),
        (
            Truth("$2,082", "Interest expense", "2019", scale="million"),
            Truth("$2,025", "Interest expense", "2018", scale="million"),
            Truth("3%", "Interest expense", "Change"),
        ),
    )


def _maturities() -> Made:
    rows = [
        ["(Amounts in millions)", "Operating", "Finance"],
        ["Fiscal year", "leases", "leases"],
        ["2021", "1,793", "511"],
        ["2022", "1,656", "473"],
        ["Thereafter", "12,019", "3,224"],
        ["Total", "$ 15,468", "$ 4,208"],
    ]
    return Made(
        _document(_paragraph("Future lease payments are:"), _table(rows, [180, 80, 80], font=LATIN_FONT)),
        (
            Truth("1,656", "2022", "Operating leases", scale="million"),
            Truth("511", "2021", "Finance leases", scale="million"),
            Truth("$ 4,208", "Total", "Finance leases", scale="million"),
        ),
    )


def _results() -> Made:
    rows = [
        ["", "", "English", "", "Chinese", ""],
        ["Method", "Encoder", "F1", "EM", "F1", "EM"],
        ["Baseline", "LSTM", "71.2 ± 0.4", "60.1", "68.0 ± 0.6", "57.3"],
        ["Ours (large)", "Transformer", "84.9 ± 0.2", "76.5", "80.3 ± 0.3", "72.2"],
        ["  w/o pretraining", "Transformer", "79.8±0.3", "70.4", "75.1±0.5", "66.0"],
    ]
    style = [("SPAN", (2, 0), (3, 0)), ("SPAN", (4, 0), (5, 0)), ("ALIGN", (2, 0), (-1, -1), "CENTER")]
    style += [("ALIGN", (1, 0), (1, -1), "LEFT"), ("LINEABOVE", (0, 0), (-1, 0), 1, colors.black)]
    return Made(
        _document(
            _paragraph("Table 3: Results on both test sets, mean of 5 runs."),
            _table(rows, [100, 80, 70, 45, 70, 45], *style, font=LATIN_FONT),
        ),
        (
            Truth("76.5", "Ours (large) Transformer", "English EM"),
            Truth("57.3", "Baseline LSTM", "Chinese EM"),
            Truth("80.3 ± 0.3", "Ours (large) Transformer", "Chinese F1"),
            Truth("79.8±0.3", "w/o pretraining Transformer", "English F1"),
        ),
    )


def _schedule() -> Made:
    rows = [
        ["No.", "Description", "Qty", "Unit price (USD)", "Amount (USD)"],
        ["1", _paragraph("Centrifugal pump, stainless steel, with motor and base plate"), "4", "2,150.00", "8,600.00"],
        ["2", "Spare seal kit", "12", "85.50", "1,026.00"],
        ["3", "Installation on site", "1", "3,000.00", "3,000.00"],
        ["", "Total", "", "", "12,626.00"],
    ]
    grid = ("GRID", (0, 0), (-1, -1), 0.5, colors.black)
    return Made(
        _document(
            _paragraph("Schedule 1: Goods and prices"),
            _table(rows, [30, 170, 45, 95, 95], grid, ("ALIGN", (0, 0), (1, -1), "LEFT"), font=LATIN_FONT),
        ),
        (
            Truth("2,150.00", "1 Centrifugal pump, stainless steel, with motor and base plate", "Unit price (USD)"),
            Truth("12", "2 Spare seal kit", "Qty"),
            Truth("3,000.00", "3 Installation on site", "Amount (USD)"),
            Truth("12,626.00", "Total", "Amount (USD)"),
        ),
    )


def _chinese_changes() -> Made:
    rows = [
        ["主要会计数据", "2023年", "2022年", _paragraph("本期比上年同期增减（%）"), "2021年"],
        ["营业收入", "1,234,567,890.12", "1,100,000,000.00", "12.23", "998,000,000.00"],
        [
            _paragraph("归属于上市公司股东的扣除非经常性损益的净利润"),
            "（23,456,789.00）",
            "45,678,901.00",
            "不适用",
            "—",
        ],
        ["经营活动产生的现金流量净额", "98,765,432.10", "87,654,321.00", "12.68", "76,543,210.00"],
    ]
    grid = ("GRID", (0, 0), (-1, -1), 0.5, colors.black)
    return Made(
        _document(
            _paragraph("（一）主要会计数据"),
            _paragraph("单位：元　币种：人民币"),
            _table(rows, [115, 95, 95, 70, 95], grid, font=CHINESE_FONT),
        ),
        (
            Truth("1,100,000,000.00", "营业收入", "2022年"),
            Truth("12.23", "营业收入", "本期比上年同期增减（%）"),
            Truth("（23,456,789.00）", "归属于上市公司股东的扣除非经常性损益的净利润", "2023年"),
            Truth("76,543,210.00", "经营活动产生的现金流量净额", "2021年"),
        ),
    )


def _chinese_periods() -> Made:
    rows = [
        ["项目", "本报告期", "", "年初至报告期末", ""],
        ["", "金额", "同比增减", "金额", "同比增减"],
        ["一、营业总收入", "5,321.10", "8.10%", "15,432.70", "7.60%"],
        ["    其中：利息收入", "12.50", "-3.20%", "40.10", "-1.10%"],
        ["二、营业总成本", "4,210.00", "6.00%", "12,345.00", "5.50%"],
    ]
    style = [("SPAN", (1, 0), (2, 0)), ("SPAN", (3, 0), (4, 0)), ("ALIGN", (1, 0), (-1, 1), "CENTER")]
    return Made(
        _document(
            _paragraph("合并利润表（单位：百万元）"), _table(rows, [120, 80, 70, 80, 70], *style, font=CHINESE_FONT)
        ),
        (
            Truth("5,321.10", "一、营业总收入", "本报告期 金额", scale="million"),
            Truth("-3.20%", "其中：利息收入", "本报告期 同比增减"),
            Truth("12,345.00", "二、营业总成本", "年初至报告期末 金额", scale="million"),
        ),
    )


def _two_columns() -> Made:
    left = "The pump was built in 1931 and weighs 1,200 kg. It moved 45 litres in 12 seconds, which was 3% more than "
    right = "In 2019 the town had 4,210 inhabitants, 120 of whom worked at the mill. The mill closed in 2021 after "
    rows = [[_paragraph(left * 3), _paragraph(right * 3)]]
    return Made(_document(_table(rows, [225, 225], font=LATIN_FONT)), ())


def _form() -> Made:
    lines = ("Name: ______________________   Date: ____ / ____ / 20___", "Address: ______________________________")
    boxes = ("[ ] Yes   [ ] No   1. I agree to the terms.", "Telephone: (___) ___ - ____   Fax: ____________")
    return Made(_document(*(_paragraph(line) for line in lines + boxes), _paragraph("Form 10-K, page 12 of 40")), ())


def _contents() -> Made:
    rows = [[f"Chapter {n}. On the repair of pumps {'. ' * 40}", str(n * 7)] for n in range(1, 9)]
    return Made(_document(_paragraph("Contents"), Spacer(1, 12), _table(rows, [380, 40], font=LATIN_FONT)), ())


MADE: dict[str, Callable[[], Made]] = {
    "spanning headers": _spanning,
    "statement": _statement,
    "notes column": _notes_column,
    "ruled, wrapped labels": _ruled,
    "Chinese, ruled, spanning headers": _chinese,
    "Chinese balance sheet": _chinese_balance,
    "continued over pages": _continued,
    "sections by year": _sections_by_year,
    "specification": _specification,
    "one row": _one_row,
    "years as rows": _maturities,
    "results of a paper": _results,
    "schedule of a contract": _schedule,
    "Chinese key figures": _chinese_changes,
    "Chinese periods": _chinese_periods,
    "two columns of text": _two_columns,
    "form": _form,
    "contents": _contents,
}
