"""An engine over small PDFs, and how tests add files and ask."""

from __future__ import annotations

from rag.engine import Engine
from rag.records import Answer, Found, JobState, Piece
from tests.rag.pdfs import text_pdf
from tests.waiting import until

PUMP = "The red pump was built in 1931. It stands in Gdansk.\nThe valve is blue and weighs 12 kg."
HERON = "苍鹭在湖边筑巢。合同编号是第7731号。"
FIRST = text_pdf([PUMP, "Nothing else is written on this second page of the manual."])
SECOND = text_pdf([HERON])


def done(engine: Engine, owner: str = "") -> bool:
    return all(job.state in (JobState.FAILED, JobState.LOCKED) for job in engine.jobs(owner))


def add(engine: Engine, *files: tuple[str, bytes], owner: str = "") -> None:
    for name, data in files:
        engine.add(owner, name, data)
    until(lambda: done(engine, owner))


def ask(engine: Engine, question: str, documents=None, history=(), owner="") -> tuple[Found, str, Answer]:
    found, *pieces, answer = engine.ask(owner, question, documents, history)
    assert isinstance(found, Found)
    assert isinstance(answer, Answer)
    return found, "".join(piece.text for piece in pieces if isinstance(piece, Piece)), answer
