import json

import pytest

from rag.evaluation.runs import SavedQuestion
from rag.training_pairs import RecordingReader, main, training_pairs
from tests.fakes import ExactEmbedder
from tests.rag.engines import FIRST, SECOND, add

BUILT, HERON = "When was the red pump built?", "合同编号是多少？"


@pytest.fixture
def folder(make, tmp_path):
    """A data folder with saved questions: two with an answer and a page, one without, one whose page is wrong."""
    reader = RecordingReader(2048)
    engine = make(reader)
    add(engine, ("manual.pdf", FIRST), ("heron.pdf", SECOND))
    ids = {one.name: one.id for one in engine.documents("")}
    engine.evaluations.save("", BUILT, ids["manual.pdf"], 0, "In 1931")
    engine.evaluations.save("", HERON, ids["heron.pdf"], 0, "第7731号")
    engine.evaluations.save("", "Where does it stand?", ids["manual.pdf"], 0)
    engine.evaluations.save_without_page("", "What is it?")
    pairs = list(training_pairs(engine, reader, ""))
    engine.close()
    return tmp_path / "data", pairs


def test_pairs_are_what_a_model_would_be_asked_with_the_expected_answer_and_its_source(folder):
    _, pairs = folder
    assert [pair["question"] for pair in pairs] == [BUILT, HERON]
    for pair, answer, document in zip(pairs, ("In 1931", "第7731号"), ("manual.pdf", "heron.pdf"), strict=True):
        said, _, number = pair["answer"].removesuffix("]").rpartition(" [")
        assert said == answer
        cited = next(one for one in pair["sources"] if one["number"] == int(number))
        assert cited["document"] == document
    assert "The red pump was built in 1931" in pairs[0]["sources"][0]["text"]


def test_a_question_whose_right_page_is_not_among_the_sources_makes_no_pair(make, monkeypatch):
    reader = RecordingReader(2048)
    engine = make(reader)
    add(engine, ("manual.pdf", FIRST))
    engine.evaluations.save("", BUILT, engine.documents("")[0].id, 0, "In 1931")
    assert len(list(training_pairs(engine, reader, ""))) == 1
    monkeypatch.setattr(SavedQuestion, "is_right", lambda *_: False)
    assert list(training_pairs(engine, reader, "")) == []


def test_the_command_writes_a_file_that_training_reads(folder, tmp_path, monkeypatch, capsys):
    from model.finetune.pairs import read_pairs

    data, pairs = folder
    monkeypatch.setattr("rag.training_pairs.open_embedder", lambda *_, **__: ExactEmbedder())
    out = tmp_path / "pairs.jsonl"
    assert main(["--data-dir", str(data), "--out", str(out)]) == 0
    assert [json.loads(line) for line in out.read_text("utf-8").splitlines()] == pairs
    assert "2 of 4 saved questions became pairs" in capsys.readouterr().err
    assert [pair.answer for pair in read_pairs(out)] == [pair["answer"] for pair in pairs]
    assert main(["--data-dir", str(data), "--out", str(out), "--user", "nobody"]) == 1


def test_chinese_text_counts_a_token_for_each_character():
    reader = RecordingReader(100)
    assert reader.count_tokens("合同编号") == 4
    assert reader.count_tokens("a" * 50) == 20
