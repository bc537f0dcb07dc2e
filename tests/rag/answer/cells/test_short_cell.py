"""Cells of tables of texts as short answers, on documents as people have them."""

from __future__ import annotations

import io
from collections.abc import Iterator

import pytest
from reportlab.lib.styles import ParagraphStyle
from reportlab.pdfbase import pdfmetrics
from reportlab.pdfbase.cidfonts import UnicodeCIDFont
from reportlab.platypus import Flowable, Paragraph, SimpleDocTemplate, Table

from rag.answer.quote import QuoteReader
from rag.engine import Engine
from rag.records import AnswerState
from rag.settings import Settings
from tests.fakes import ExactEmbedder
from tests.rag.engines import add, ask
from tests.rag.pdfs import CHINESE_FONT

DATA_SHEET = """Corvane City: Data Sheet
| Model | City T4 | City T6 | Cargo C8 |
| Motor power | 250 W | 250 W | 350 W |
| Charging time | 3.5 h | 4.5 h | 6 h |
| Weight with battery | 21.4 kg | 22.9 kg | 34.0 kg |
| Permitted total weight | 130 kg | 140 kg | 200 kg |
| Price incl. VAT | €1,899 | €2,349 | €4,190 |"""
PRICES = """松涛云主机价格表
| 套餐 | 入门型 | 标准型 | 企业型 |
| 内存 | 2 GB | 8 GB | 64 GB |
| 月付价格 | ¥49/月 | ¥260/月 | ¥1,850/月 |
| 年付价格 | ¥490/年 | ¥2,600/年 | ¥18,500/年 |
| 备份保留 | 7天 | 30天 | 180天 |"""
FERRY = """Skellan Ferries: Timetable
| Sailing | Departs | Arrives |
| 1 | 06:45 | 08:25 |
| 2 | 10:30 | 12:10 |
| 3 | 15:15 | 16:55 |"""
LIGHTS = """Quarry Box: Quick Start
| Light | Meaning |
| Green, flashing | Disk in use |
| Orange, steady | A disk has failed |"""

SUBSIDIARIES = """Tolvar Instruments: Annual report
| Legal name | Jurisdiction |
| Tolvar Asia Ltd | Singapore |
| Tolvar Corporation | Delaware |
| Tolvar Brands GmbH | Germany |
| Tolvar Services B.V. | Netherlands |"""


def made(text: str) -> bytes:
    """A PDF of a title and the rows of a table."""
    pdfmetrics.registerFont(UnicodeCIDFont(CHINESE_FONT))
    title, *lines = text.splitlines()
    font = CHINESE_FONT if "价" in text else "Times-Roman"
    rows = [[cell.strip() for cell in line.strip("| ").split("|")] for line in lines]
    flow: list[Flowable] = [Paragraph(title, ParagraphStyle("title", fontName=font, fontSize=14, leading=20))]
    flow.append(Table(rows, style=[("FONT", (0, 0), (-1, -1), font, 11)], hAlign="LEFT", colWidths=115))
    file = io.BytesIO()
    SimpleDocTemplate(file).build(flow)
    return file.getvalue()


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    settings = Settings(data_dir=tmp_path_factory.mktemp("cells"))
    with Engine(settings, embedder=ExactEmbedder, reader=QuoteReader()) as opened:
        add(
            opened,
            ("bikes.pdf", made(DATA_SHEET)),
            ("prices.pdf", made(PRICES)),
            ("ferry.pdf", made(FERRY)),
            ("box.pdf", made(LIGHTS)),
            ("Tolvar report.pdf", made(SUBSIDIARIES)),
        )
        yield opened


@pytest.mark.parametrize(
    ("question", "value", "labels"),
    [
        ("How heavy is the City T6?", "22.9 kg", ("Weight with battery", "City T6")),
        ("How long does it take to charge the City T4?", "3.5 h", ("Charging time", "City T4")),
        ("What does the Cargo C8 cost?", "€4,190", ("Price incl. VAT", "Cargo C8")),
        ("企业型云主机每月多少钱？", "¥1,850/月", ("月付价格", "企业型")),
        ("标准型的备份保留多久？", "30天", ("备份保留", "标准型")),
        ("When does the 10:30 ferry arrive?", "12:10", ("2", "Arrives")),
        ("What does an orange light on the Quarry Box mean?", "A disk has failed", ("Orange, steady", "Meaning")),
    ],
)
def test_the_row_and_the_column_that_a_question_names_answer_it(
    engine: Engine, question: str, value: str, labels: tuple[str, ...]
) -> None:
    _, _, answer = ask(engine, question)
    assert answer.state is AnswerState.ANSWER
    assert answer.short is not None
    assert (answer.short.values, answer.short.labels) == ((value,), labels)
    assert answer.short.sure


def test_a_cell_is_cited_where_it_stands(engine: Engine) -> None:
    found, _, answer = ask(engine, "How heavy is the City T6?")
    assert answer.short is not None
    cited = answer.short.citations[0]
    source = next(one for one in found.sources if one.number == cited.number)
    assert source.text[cited.start : cited.end] == "22.9 kg"


@pytest.mark.parametrize(
    "question",
    [
        pytest.param("How heavy is the bicycle?", id="no column named"),
        pytest.param("How heavy is the City T9?", id="a model that is not there"),
        pytest.param("Who designed the City T6?", id="no row named"),
        pytest.param("Why is the City T6 so heavy?", id="a reason"),
        pytest.param("What business is Tolvar in?", id="a row named by its document's name and its form"),
        pytest.param("What brands does Tolvar have?", id="several things"),
    ],
)
def test_without_a_row_and_a_column_no_cell_answers(engine: Engine, question: str) -> None:
    _, _, answer = ask(engine, question)
    assert answer.short is None or answer.short.table is None
