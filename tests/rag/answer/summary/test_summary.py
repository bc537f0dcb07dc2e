"""Whole documents summarised, from PDF to the checked answer."""

from __future__ import annotations

from rag.reader import Turn
from rag.records import AnswerState, ClaimState
from tests.fakes import ScriptedReader
from tests.rag.engines import add, ask
from tests.rag.pdfs import text_pdf

LEASE = text_pdf(
    [
        "Commercial Lease Agreement\n"
        "This Lease Agreement is made on 12 March 2021 between Nordlicht GmbH, Hamburg, and Seaside Ltd., Hamburg.\n"
        "1. Premises\n"
        "The Landlord leases to the Tenant the ground floor of the building at Elbchaussee 14 in Hamburg.\n"
        "2. Term\n"
        "The lease begins on 1 May 2021 and runs for a fixed term of five years.\n"
        "3. Rent\n"
        "The monthly rent is EUR 4,800 plus value added tax and is due on the third working day of each month.",
        "4. Deposit\n"
        "The Tenant pays a deposit of EUR 14,400 to the Landlord before the premises are handed over.\n"
        "See section 3 of this agreement for the details of the rent that is due.\n"
        "5. Notices\n"
        "All rights reserved by the publisher of the form that is used for this lease.",
    ]
)
MANUAL = text_pdf(
    [
        "水泵使用说明书\n1 产品概述\n本产品用于家庭和小型农场的清水供应，最大流量为每小时6立方米。\n"
        "2 保修\n本产品自购买之日起保修二十四个月，因干转造成的损坏不在保修范围之内。\n2022年6月"
    ]
)


def test_a_document_is_summarised_by_its_own_sentences(make):
    engine = make()
    add(engine, ("lease.pdf", LEASE))
    found, text, answer = ask(engine, "What is this about?")
    assert answer.state is AnswerState.ANSWER
    assert answer.short is not None
    assert answer.short.values == ("Commercial Lease Agreement",)
    assert answer.short.labels == ("lease", "12 March 2021")
    assert answer.short.table is not None
    assert [row[0] for row in answer.short.table.rows][:3] == ["1. Premises", "2. Term", "3. Rent"]
    assert "ground floor" in text
    assert "EUR 4,800" in text
    assert "EUR 14,400" in text
    assert "All rights reserved" not in text
    assert "See section" not in text
    for sentence in answer.sentences:
        (citation, *_) = sentence.citations
        source = next(source for source in found.sources if source.number == citation.number)
        assert sentence.text in source.text
        assert sentence.claim in (None, ClaimState.SUPPORTED)


def test_a_chinese_manual_is_summarised_in_chinese(make):
    engine = make()
    add(engine, ("水泵.pdf", MANUAL), ("lease.pdf", LEASE))
    manual = [document.id for document in engine.documents("") if document.name == "水泵.pdf"]
    _, text, answer = ask(engine, "总结一下这份说明书", manual)
    assert answer.short is not None
    assert answer.short.values == ("水泵使用说明书",)
    assert answer.short.labels == ("说明书", "2022年6月")
    assert "最大流量为每小时6立方米" in text
    assert "保修二十四个月" in text


def test_each_of_several_documents_gets_a_sentence_or_two(make):
    engine = make()
    add(engine, ("水泵.pdf", MANUAL), ("lease.pdf", LEASE))
    found, text, answer = ask(engine, "Summarise all documents")
    assert answer.short is not None
    assert answer.short.values == ("2 documents",)
    assert {source.document for source in found.sources} == {"水泵.pdf", "lease.pdf"}
    assert "水泵.pdf:" in text
    assert "lease.pdf:" in text
    named = ask(engine, "Give me an overview of the lease")[0]
    assert {source.document for source in named.sources} == {"lease.pdf"}


def test_it_is_the_document_that_the_conversation_was_about(make):
    engine = make()
    add(engine, ("水泵.pdf", MANUAL), ("lease.pdf", LEASE))
    history = [Turn("How high is the rent in the Lease?", "EUR 4,800")]
    assert {source.document for source in ask(engine, "Summarise it", history=history)[0].sources} == {"lease.pdf"}
    everything = ask(engine, "Summarise all documents", history=history)[0]
    assert {source.document for source in everything.sources} == {"水泵.pdf", "lease.pdf"}


def test_how_many_documents_are_left_is_said(make):
    engine = make()
    add(
        engine,
        *(
            (f"{n}.pdf", text_pdf([f"The red pump number {n} is used to bring water to the village of the north."]))
            for n in range(9)
        ),
    )
    answer = ask(engine, "Summarise all documents")[2]
    assert answer.short is not None
    assert answer.short.values == ("9 documents",)
    assert "1 more" in answer.short.labels[0]


def test_a_model_gets_the_chosen_passages_as_its_sources(make):
    reader = ScriptedReader(["It is a lease [1]."])
    engine = make(reader=reader)
    add(engine, ("lease.pdf", LEASE))
    _, text, answer = ask(engine, "Summarise the contract")
    assert text == "It is a lease [1]."
    assert "ground floor" in reader.history[0].sources[0].text
    assert answer.reader == "scripted"


def test_what_no_sentence_can_stand_for_is_searched_like_any_question(make):
    engine = make()
    add(engine, ("table.pdf", text_pdf(["Revenue 100 200 300\nCosts 50 60 70\nTotal 150 260 370"])))
    found, _, answer = ask(engine, "Summarise the document")
    assert found.sources
    assert answer.reply is None
