"""A cross-encoder, tiny and random but really loaded, and what its scores do to the order."""

from __future__ import annotations

import time

import pytest
import torch

from rag.answer.quote import QuoteReader
from rag.engine import Engine
from rag.errors import ModelMissing
from rag.messages import Message
from rag.opening import Parts
from rag.records import Signal
from rag.retrieve.hybrid import Hit
from rag.retrieve.rerank import CrossReranker, open_reranker, rerank
from rag.settings import RetrievalSettings, Settings
from tests.fakes import ExactEmbedder
from tests.rag.pdfs import text_pdf


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A BERT of two layers that gives one number, as sentence-transformers reads it."""
    from tokenizers import Tokenizer, models, pre_tokenizers, processors
    from transformers import BertConfig, BertForSequenceClassification, PreTrainedTokenizerFast

    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "red", "pump", "blue", "valve"]
    plain = Tokenizer(models.WordLevel({word: n for n, word in enumerate(words)}, "[UNK]"))
    plain.pre_tokenizer = pre_tokenizers.Whitespace()
    plain.post_processor = processors.TemplateProcessing(
        "[CLS] $A [SEP]", "[CLS] $A [SEP] $B:1 [SEP]:1", [("[CLS]", 2), ("[SEP]", 3)]
    )
    made = tmp_path_factory.mktemp("tiny-reranker")
    PreTrainedTokenizerFast(
        tokenizer_object=plain, pad_token="[PAD]", unk_token="[UNK]", cls_token="[CLS]", sep_token="[SEP]"
    ).save_pretrained(made)
    torch.manual_seed(0)
    config = BertConfig(
        vocab_size=len(words), hidden_size=16, num_hidden_layers=2, num_attention_heads=2, intermediate_size=32,
        max_position_embeddings=600, num_labels=1,
    )  # fmt: skip
    BertForSequenceClassification(config).save_pretrained(made)
    return made


class Scripted:
    """Scores by the length of the passage."""

    name, why = "scripted", Message("a test")

    def scores(self, question, passages):
        return [min(len(passage) / 10, 1.0) for passage in passages]


def test_scores_are_shares_and_do_not_depend_on_the_batch(folder):
    reranker = CrossReranker(folder, name="tiny", device="cpu", why=Message("a test"))
    passages = ["red pump", "blue valve " * 400, "", "pump"]
    together = reranker.scores("red pump", passages)
    alone = [reranker.scores("red pump", [passage])[0] for passage in passages]
    assert together == pytest.approx(alone, abs=1e-5)
    assert all(0 < score < 1 for score in together)
    assert len(set(together)) > 1


def test_which_reranker_is_opened(folder, tmp_path, monkeypatch):
    assert open_reranker("none") is None
    assert open_reranker("auto") is None  # no GPU here
    assert open_reranker(str(folder)).name == folder.name
    with pytest.raises(ModelMissing, match=r"cannot be opened.*--reranker"):
        open_reranker(str(tmp_path))
    monkeypatch.setattr("rag.retrieve.rerank.hub_folder", lambda name, download: None)
    with pytest.raises(ModelMissing, match=r"some/model is not on this machine.*--allow-download"):
        open_reranker("some/model")
    monkeypatch.setattr("torch.cuda.is_available", lambda: True)
    assert open_reranker("auto") is None


def test_the_reranker_moves_a_passage_up_and_the_score_it_had_still_counts():
    """With weight 0.7: 0.3 * 0.5 + 0.7 * 1.0 = 0.85 against 0.3 * 1.0 + 0.7 * 0.1 = 0.37. Passage 3 has no text."""
    hits = [Hit(1, 2.0), Hit(2, 1.0, (Signal("words", 3.0, 1),)), Hit(3, 1.5)]
    found = rerank("?", hits, {1: "a", 2: "a" * 10}, Scripted(), 0.7)
    assert [(hit.passage_id, hit.score) for hit in found] == [(2, pytest.approx(0.85)), (1, pytest.approx(0.37))]
    assert found[0].signals == (Signal("words", 3.0, 1), Signal("reranker", 1.0, 1))
    assert rerank("?", hits, {}, Scripted(), 0.7) == []


def test_of_passages_that_the_reranker_scores_alike_the_one_found_first_stays_first():
    hits = [Hit(1, 1.0), Hit(2, 0.8)]
    found = rerank("?", hits, {1: "same", 2: "same"}, Scripted(), RetrievalSettings().reranker_weight)
    assert [hit.passage_id for hit in found] == [1, 2]
    assert found[0].score > found[1].score + 0.01


def missing():
    raise ModelMissing("The reranker x is not on this machine: name a folder.")


@pytest.mark.parametrize(("opener", "signals"), [(Scripted, {"reranker"}), (missing, set()), (lambda: None, set())])
def test_the_engine_searches_with_and_without_a_reranker(tmp_path, opener, signals):
    embedder = ExactEmbedder()
    settings = Settings(data_dir=tmp_path / "data")
    with Engine(settings, embedder=lambda: embedder, parts=Parts(reranker=opener), reader=QuoteReader()) as engine:
        engine.add("", "manual.pdf", text_pdf(["The red pump was built in 1931. It stands in Gdansk."]))
        engine.wait()
        while engine.jobs(""):
            time.sleep(0.01)
        (source,) = engine.search("", "When was the red pump built?")
        assert {signal.name for signal in source.signals} - {"vectors", "words", "document", "overlap"} == signals
        choice = next((choice for choice in engine.choices() if choice.what == "reranker"), None)
        assert (choice is not None and bool(choice.failed)) == (opener is missing)
