"""The primary financial statements of a document: found among its pages, their rows with a cell for each fiscal year.

Pages are chosen by the words on them and then by the labels of their tables' rows, so that only a few are searched for
tables. Consolidated statements come before a parent company's own, of segments or pro forma.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

from rag.answer.metrics.fiscal_years import ends_early, fiscal_offset, fiscal_years, interim_year, is_quarterly
from rag.pdf.tables import Cell, Row, find_tables
from rag.retrieve.statements import Statement
from rag.store.rows import StoredPage

ONE = "one"  # scale of a statement that says it is in single yuan
MAX_CANDIDATES = 4  # pages of a kind that are searched for tables
MAX_HEAD_CHARACTERS = 500  # of a page, in which its title stands
MAX_YEARS = 3  # columns of a primary statement; a table with more is a summary of past years
MAX_LABEL_CHARACTERS = 200  # of a label; a longer one is a sentence


@dataclass(frozen=True, slots=True)
class StatementRow:
    """A row, with a cell for each fiscal year that the statement has a column for."""

    label: str  # as printed
    section: str
    normalized: str  # see `normalized`
    cells: dict[int, Cell]  # by fiscal year
    page: int  # number of its page
    start: int  # character span in the page's text
    end: int


@dataclass(frozen=True, slots=True)
class FoundStatement:
    """A primary statement of a document."""

    kind: Statement
    rows: tuple[StatementRow, ...]  # in order
    scale: str  # "thousand", "million", ..., or ONE; "" if it is not said
    unit: str  # the unit line as printed
    currency: str  # "$", "€", ...; "" if none is printed
    years: tuple[int, ...]  # fiscal years, newest first
    headers: dict[int, str]  # of the column of each year, as printed
    pages: tuple[StoredPage, ...]
    offset: int = 0  # fiscal year minus the calendar year in its headers
    doubtful: bool = False  # whether the document leaves open which fiscal year it calls one that ends in January


@dataclass(frozen=True, slots=True)
class _Kind:
    """How a statement is recognised."""

    title: re.Pattern[str]
    anchors: tuple[re.Pattern[str], ...]  # normalized labels that such a statement has, whole


def _patterns(*labels: str) -> tuple[re.Pattern[str], ...]:
    return tuple(re.compile(label, re.IGNORECASE) for label in labels)


_KINDS = {
    Statement.BALANCE: _Kind(
        re.compile(
            r"balance sheets?|statements? of (?:consolidated )?financial (?:position|condition)|资产负债表",
            re.IGNORECASE,
        ),
        _patterns(
            r"total assets|资产(?:总计|合计)",
            r"total current assets|流动资产(?:合计|总计)",
            r"total current liabilities|流动负债(?:合计|总计)",
            r"total liabilities|负债(?:合计|总计)",
            r"total liabilities and .*|负债和.*总计|负债及.*总计",
            r"retained earnings.*|accumulated deficit.*|reinvested earnings.*|未分配利润",
            r"accounts payable.*|.*payables?|应付账款",
            r"total .*equity.*|total .*deficit.*|.*权益.*合计",
        ),
    ),
    Statement.INCOME: _Kind(
        re.compile(
            r"statements? of (?:consolidated )?(?:income|operations|earnings|comprehensive income|profit)"
            r"|income statements?|profit and loss|利润表|损益表",
            re.IGNORECASE,
        ),
        _patterns(
            r"(?:total )?(?:net )?(?:operating )?(?:revenues?|sales).*|营业(?:总)?收入",
            r".* before .*tax.*|利润总额",
            r"(?:total )?(?:provision|benefit|expense|income tax).*tax.*|income tax.*|所得税费用",
            r"(?:consolidated )?net (?:income|earnings|loss|profit).*|.*净利润.*",
            r"basic.*|.*per share.*|.*每股收益.*",
            r"diluted.*|稀释.*",
            r"cost of .*|.*costs? and .*expenses?|total (?:operating )?expenses|营业成本",
            r"operating (?:income|profit|loss).*|.*from operations|interest.*|营业利润",
        ),
    ),
    Statement.CASH: _Kind(
        re.compile(r"statements? of (?:consolidated )?cash ?flows?|cash flows? statements?|现金流量表", re.IGNORECASE),
        _patterns(
            r"(?:consolidated )?net (?:income|earnings|loss|profit).*|净利润|销售商品.*收到的现金",
            r"depreciation.*|amorti[sz]ation.*|.*折旧.*|经营活动现金流入小计",
            r".*cash.* operat(?:ing|ions).*|经营活动.*现金流量净额",
            r".*cash.* investing.*|投资活动.*现金流量净额",
            r".*cash.* financing.*|筹资活动.*现金流量净额",
            r"(?:purchases?|additions?|capital|payments?|acquisitions?).*(?:property|expenditures?|spending).*"
            r"|购建固定资产.*",
            r".*dividends?.*|repayments?.*|proceeds.*|偿还债务.*",
            r".*cash.*(?:end|beginning) of.*|.*期[初末].*现金.*|(?:net )?(?:increase|decrease|change).* in cash.*",
        ),
    ),
}
# Words of which a page must have all of one group to be looked at.
_NEEDED = {
    Statement.BALANCE: (("total assets",), ("total liabilities",), ("equity", "total"), ("资产总计",), ("负债合计",)),
    Statement.INCOME: (("per share", "net "), ("before", "tax", "net "), ("营业收入", "净利润"), ("利润总额",)),
    Statement.CASH: (("operati", "investing", "cash"), ("financing", "cash"), ("活动", "现金流量净额")),
}
_NOT_PRIMARY = re.compile(
    r"parent[- ]company|parent only|schedule i\b|condensed financial|pro forma|guarantor|reportable segments?"
    r"|by segment"
    r"|selected (?:consolidated )?financial|supplemental|quarterly|reconciliation|母公司(?!股东|所有者)|non-gaap",
    re.IGNORECASE,
)
_CONSOLIDATED = re.compile(r"consolidated|合并", re.IGNORECASE)
_CHARACTERS = re.compile(r"[^\w%$¥€£]+")
_PARENTHESES = re.compile(r"[(（\[][^()（）\[\]]*[)）\]]")
_NUMBERING = re.compile(
    r"^[一二三四五六七八九十]+、|^[(（][一二三四五六七八九十\d]+[)）]|^(?:加|减|其中)[:：]|^\d+[.、．]|[“”\"'’‘`]"
)
_ADJUSTMENTS = re.compile(r"^adjustments to reconcile .{0,120}?(?:activities|operations) (?=\w)")  # ran into a row
_NOTE = re.compile(r" (?:see )?(?:notes?|附注)(?: [a-z\d]{1,3})?(?: and [a-z\d]{1,3})?$")
_YUAN = re.compile(r"单位\s?[:：]\s?(?:人民币)?元")
_CURRENCY = re.compile(r"US\$|HK\$|[$€£¥￥]")


def normalized(label: str) -> str:
    """A label in lower case, without parentheses, punctuation and numbering: "(a) Total, net" -> "total net"."""
    text = _NUMBERING.sub("", label[:MAX_LABEL_CHARACTERS].strip().lower())
    text = _PARENTHESES.sub(" ", text).replace("&", " and ")
    return _NOTE.sub("", _ADJUSTMENTS.sub("", " ".join(_CHARACTERS.sub(" ", text).split())))


def find_statements(pages: Sequence[StoredPage]) -> dict[Statement, FoundStatement]:
    """The primary statements among the pages of a document; those that are not found are left out."""
    found = {kind: statement for kind in Statement if (statement := _best(kind, pages)) is not None}
    found = {kind: _without_interim(statement) for kind, statement in found.items()}
    early = {kind for kind, statement in found.items() if ends_early(statement.headers.values())}
    if not early:
        return found
    newest = max(found[kind].years[0] for kind in early)
    others = [statement.years[0] for kind, statement in found.items() if kind not in early]
    offset = fiscal_offset((page.text for page in pages), newest, others)
    return {kind: _moved(statement, offset) if kind in early else statement for kind, statement in found.items()}


def _best(kind: Statement, pages: Sequence[StoredPage]) -> FoundStatement | None:
    """The statement with the most of the rows that such a statement has."""
    best: tuple[float, FoundStatement] | None = None
    for index in _candidates(kind, pages):
        statement = _statement(kind, pages[index : index + 2])
        if statement is None:
            continue
        anchors = _anchors(kind, statement.rows)
        score = len(anchors) + _title_score(kind, pages[index].text) - 3.0 * (len(statement.years) > MAX_YEARS)
        if len(anchors) >= 4 and (best is None or score > best[0]):
            best = score, statement
    return best[1] if best else None


def _candidates(kind: Statement, pages: Sequence[StoredPage]) -> list[int]:
    """Indexes of the pages that may hold a statement, most likely first."""
    scored: list[tuple[float, int]] = []
    for index, page in enumerate(pages):
        text = page.text.lower()
        if not any(all(word in text for word in group) for group in _NEEDED[kind]):
            continue
        lines = [normalized(line) for line in page.text.splitlines()]
        anchors = {
            n
            for n, anchor in enumerate(_KINDS[kind].anchors)
            if any(anchor.match(line) for line in lines if 2 < len(line) < MAX_LABEL_CHARACTERS)
        }
        scored.append((len(anchors) + 1.5 * _title_score(kind, page.text), index))
    return [index for score, index in sorted(scored, key=lambda one: (-one[0], one[1]))[:MAX_CANDIDATES] if score > 2]


def _title_score(kind: Statement, text: str) -> float:
    head = text[:MAX_HEAD_CHARACTERS]
    score = 2.0 * bool(_KINDS[kind].title.search(head)) + 1.0 * bool(_CONSOLIDATED.search(head))
    return score - 3.0 * bool(_NOT_PRIMARY.search(head))


def _anchors(kind: Statement, rows: Sequence[StatementRow]) -> set[int]:
    labels = {row.normalized for row in rows}
    return {n for n, anchor in enumerate(_KINDS[kind].anchors) if any(anchor.fullmatch(label) for label in labels)}


# ---- one statement from its page and, where it goes on there, the next one


def _statement(kind: Statement, pages: Sequence[StoredPage]) -> FoundStatement | None:
    first = _rows(kind, pages[0])
    if first is None:
        return None
    own = _anchors(kind, first.rows)
    if len(pages) < 2 or len(own) == len(_KINDS[kind].anchors):
        return first
    # A statement goes on over the page if the next one has the rows that are missing, and the same columns.
    second = _rows(kind, pages[1], first)
    if second is None or second.years != first.years:
        return first
    more = _anchors(kind, second.rows) - own
    others = max(len(_anchors(other, second.rows)) for other in Statement if other is not kind)
    if len(more) < 2 or (others > len(_anchors(kind, second.rows))):
        return first
    return replace(first, rows=first.rows + second.rows, pages=first.pages + second.pages)


def _rows(kind: Statement, page: StoredPage, before: FoundStatement | None = None) -> FoundStatement | None:
    """The rows of a statement on a page; `before`: its part on the page before, whose columns may go on."""
    start, stop = _span(kind, page.text)
    tables = [
        (table, [row for row in table.rows if start <= row.start < stop])
        for table in find_tables(page.text, page.words)
    ]
    tables = [(table, rows) for table, rows in tables if rows]
    found: list[StatementRow] = []
    headers: dict[int, str] = {}
    columns: dict[int, int] = {}  # fiscal year of each column of the table before
    for table, rows in tables:
        if is_quarterly(table, page.text[:MAX_HEAD_CHARACTERS]):
            continue
        own = fiscal_years(table, page.text) or (columns if len(table.headers) >= len(columns) else {})
        if not own and before is not None and len(before.years) == len(table.headers):
            own = dict(enumerate(before.headers))
        columns = own
        for column, year in own.items():
            headers.setdefault(year, table.headers[column])
        found += [one for row in rows if (one := _row(row, own, page.number)).cells]
    if not found:
        return None
    scales = Counter((table.scale, table.unit) for table, rows in tables if table.scale for _ in rows)
    scale, unit = scales.most_common(1)[0][0] if scales else (before.scale, before.unit) if before else ("", "")
    if not scale and (yuan := _YUAN.search(page.text)):
        scale, unit = ONE, yuan[0]
    return FoundStatement(
        kind=kind,
        rows=tuple(_with_totals(found) if kind is Statement.BALANCE else found),
        scale=scale,
        unit=unit,
        currency=_currency(found),
        years=tuple(sorted(headers, reverse=True)),
        headers=headers,
        pages=(page,),
    )


def _row(row: Row, columns: dict[int, int], page: int) -> StatementRow:
    """A row with a cell for each year; none for a year in whose columns it has several values."""
    cells: dict[int, Cell] = {}
    several: set[int] = set()
    for column, year in columns.items():
        cell = row.cells[column]
        if cell is None or cell.percent:
            continue
        if year in cells and cells[year].value is not None and cell.value is not None:
            several.add(year)
        if year not in cells or cells[year].value is None:
            cells[year] = cell
    label = row.label or "total"
    kept = {year: cell for year, cell in cells.items() if year not in several}
    return StatementRow(label, row.section, normalized(label), kept, page, row.start, row.end)


def _with_totals(rows: Sequence[StatementRow]) -> list[StatementRow]:
    """The rows of a balance sheet, its two equal totals named if they are called "total" alone."""
    totals = [row for row in rows if row.normalized == "total"]
    pairs = [(one, other) for one, other in pairwise(totals) if _texts(one) == _texts(other)]
    names = {id(pairs[0][0]): "total assets", id(pairs[0][1]): "total liabilities and equity"} if pairs else {}
    return [replace(row, normalized=names.get(id(row), row.normalized)) for row in rows]


def _texts(row: StatementRow) -> dict[int, float | None]:
    return {year: cell.value for year, cell in row.cells.items()}


def _span(kind: Statement, text: str) -> tuple[int, int]:
    """Where a statement stands on a page that holds several: from its title to that of the next one."""
    titles = sorted(
        (match.start(), other is kind)
        for other, how in _KINDS.items()
        for match in how.title.finditer(text)
        if _is_title(text, match)
    )
    own = [place for place, is_own in titles if is_own]
    if not own or all(is_own for _, is_own in titles):
        return 0, len(text)
    after = [place for place, is_own in titles if not is_own and place > own[0]]
    before = [place for place, is_own in titles if not is_own and place < own[0]]
    return (own[0] if before else 0), (after[0] if after else len(text))


def _is_title(text: str, match: re.Match[str]) -> bool:
    """Whether a match stands in a line of its own, without a number."""
    start = text.rfind("\n", 0, match.start()) + 1
    end = text.find("\n", match.end())
    line = text[start : end if end >= 0 else len(text)]
    return (
        len(line) < 90
        and not line.rstrip().endswith((".", "。"))
        and not re.search(r"\d,\d{3}|\bnotes?\b", line, re.IGNORECASE)
    )


def _currency(rows: Sequence[StatementRow]) -> str:
    for row in rows:
        for cell in row.cells.values():
            if match := _CURRENCY.search(cell.text):
                return match[0]
    return ""


def _without_interim(statement: FoundStatement) -> FoundStatement:
    """A balance sheet without the column of a date within the fiscal year."""
    year = interim_year(statement.headers) if statement.kind is Statement.BALANCE else None
    if year is None:
        return statement
    rows = [replace(row, cells={one: cell for one, cell in row.cells.items() if one != year}) for row in statement.rows]
    return replace(
        statement,
        rows=tuple(row for row in rows if row.cells),
        years=tuple(one for one in statement.years if one != year),
        headers={one: header for one, header in statement.headers.items() if one != year},
    )


def _moved(statement: FoundStatement, told: int | None) -> FoundStatement:
    """A statement whose columns are headed by the dates that the years end on, by fiscal year.

    `told`: the offset; None where the document does not tell it.
    """
    offset = told or 0
    rows = tuple(
        replace(row, cells={year + offset: cell for year, cell in row.cells.items()}) for row in statement.rows
    )
    return replace(
        statement,
        rows=rows,
        years=tuple(year + offset for year in statement.years),
        headers={year + offset: header for year, header in statement.headers.items()},
        offset=offset,
        doubtful=told is None,
    )
