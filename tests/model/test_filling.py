"""Models that fill in blanks: prompts, as a reader, and in the terminal."""

import dataclasses
import io
import json
import sys
import threading

import pytest
import torch

from model.blank.filling import conversation_text, fill_blanks
from model.chat import converse, main
from model.families import PromptFormat
from model.generate import generate
from model.load import load_reader
from model.load_settings import LoadSettings
from model.prompt import ChatMessage, Prompter, chat_messages
from model.tokenizer import decode, load_tokenizer
from rag.errors import AnswerCut, ReaderError
from rag.reader import ReadRequest, ReadSource, Sampling, Turn
from tests.model.checkpoints import publish
from tests.model.reference import shared
from tests.model.tiny_tokenizers import write_blank_tokenizer

GREEDY = Sampling(max_tokens=4, temperature=0)
SOURCES = (ReadSource(1, "lease.pdf", "3", "Rent", "The rent is due on the first of the month."),)


@pytest.fixture(scope="module")
def reader(tmp_path_factory):
    folder = publish("glm10b", tmp_path_factory.mktemp("glm-10b-chinese") / "glm-10b-chinese")
    write_blank_tokenizer("chinese", folder)
    return load_reader(folder, LoadSettings(precision="fp32", device="cpu"))


def filled(reader, text, sampling=GREEDY):
    return "".join(fill_blanks(reader, text, sampling, threading.Event()))


@pytest.mark.parametrize("name", ["glm10b_english", "glm10b_chinese"])
def test_a_text_with_a_blank_has_the_original_ids(name):
    folder = shared(f"tokenizers/{name}")
    prompter = Prompter(load_tokenizer(folder), PromptFormat.GLM10B)
    known = prompter.tokenizer.special_tokens
    for one in json.loads((folder / "encodings.json").read_text())["generation_inputs"]:
        mask = next(mask for mask in ("[MASK]", "[gMASK]", "[sMASK]") if mask in one["text"])
        before, _, after = one["text"].partition(mask)
        ids = [*prompter.tokenizer.encode(before.strip()), known[mask], *prompter.tokenizer.encode(after.strip())]
        assert prompter.framed(ids) == one["input_ids"][0]


def test_a_question_is_a_text_whose_answer_is_a_blank(reader):
    ids = reader.prompter.ids([ChatMessage("user", "What is 1?")])
    names = reader.tokenizer.special_tokens
    text = reader.tokenizer.encode("Question: What is 1?\nAnswer:")
    assert ids == [names["[CLS]"], *text, names["[gMASK]"], names["<|endoftext|>"], names["<|startofpiece|>"]]


def test_a_model_without_gmask_gets_the_mask_it_has(tmp_path):
    write_blank_tokenizer("wordpiece", tmp_path)
    tokenizer = load_tokenizer(tmp_path)
    ids = Prompter(tokenizer, PromptFormat.GLM10B).ids([ChatMessage("user", "the fox?")])
    names = tokenizer.special_tokens
    assert (ids[0], *ids[-3:]) == (names["[CLS]"], names["[MASK]"], names["[SEP]"], names["<|startofpiece|>"])


def test_sources_come_first_then_the_conversation_without_instructions():
    request = ReadRequest("Who pays?", SOURCES, history=(Turn("When is it due?", "On the first."),))
    text = conversation_text(chat_messages(request, instructed=False))
    assert text.startswith("Sources:\n[1] lease.pdf · page 3 · Rent\nThe rent is due on the first of the month.\n")
    assert text.endswith("\nQuestion: When is it due?\nAnswer: On the first.\nQuestion: Who pays?\nAnswer: ")
    assert "[n]" not in text
    chinese = conversation_text(chat_messages(ReadRequest("谁付房租？", SOURCES), instructed=False))
    assert chinese.startswith("资料：\n[1] lease.pdf · 第3页")
    assert chinese.endswith("\n问题：谁付房租？\n回答：")


def test_as_a_reader_it_fills_the_blank_after_sources_and_question(reader):
    asked = ReadRequest("the fox?", (dataclasses.replace(SOURCES[0], text="the fox."),), sampling=GREEDY)
    pieces = []
    with pytest.raises(AnswerCut):  # random weights never end a piece
        pieces.extend(reader.answer(asked, threading.Event()))
    (filled_in,) = reader.prompter.ids(chat_messages(asked, instructed=False))[-3:-2]
    assert filled_in == reader.tokenizer.special_tokens["[gMASK]"]
    assert reader.context_tokens == 96
    assert reader.family.name == "glm-10b-chinese"


def test_a_prompt_longer_than_the_context_is_refused_in_a_sentence(reader):
    long = dataclasses.replace(SOURCES[0], text="the fox jumps over the dog. " * 40)
    with pytest.raises(ReaderError, match="has a context of 96"):
        list(reader.answer(ReadRequest("the fox?", (long,), sampling=GREEDY), threading.Event()))
    with pytest.raises(ReaderError, match="shorten the text"):
        filled(reader, "the fox jumps over the dog. " * 40 + "[MASK]")


def test_each_blank_is_filled_where_it_stands(reader):
    text = filled(reader, "The [MASK] jumps over [sMASK], and then [gMASK]")
    assert "MASK]" not in text
    assert text.startswith("The ")
    assert " jumps over " in text
    assert ", and then " in text
    assert filled(reader, "no blank") == "no blank"


def test_the_second_blank_is_filled_with_the_first_one_in_place(reader):
    encode, mask = reader.tokenizer.encode, reader.tokenizer.special_tokens["[MASK]"]

    def tokens(ids):
        return list(generate(reader.model, reader.prompter.framed(ids), GREEDY, reader.stop_ids, threading.Event()))

    start, middle = encode("the fox"), encode("over the")
    first = tokens([*start, mask, *middle, mask, *encode(".")])
    second = tokens([*start, *first, *middle, mask, *encode(".")])
    text = [decode(reader.tokenizer, ids).strip() for ids in (first, second)]
    assert filled(reader, "the fox [MASK] over the [MASK].") == f"the fox {text[0]} over the {text[1]}."


def test_stop_ends_within_a_blank_and_leaves_the_rest_out(reader):
    stop = threading.Event()
    pieces = fill_blanks(reader, "the fox [MASK] over the [MASK].", dataclasses.replace(GREEDY, max_tokens=32), stop)
    started = [next(pieces), next(pieces)]
    stop.set()
    assert "over" not in "".join([*started, *pieces])


def test_a_blank_that_the_model_does_not_know_is_refused(tmp_path):
    publish("glm10b", tmp_path)
    write_blank_tokenizer("wordpiece", tmp_path)
    large = load_reader(tmp_path, LoadSettings(precision="fp32", device="cpu"))
    with pytest.raises(ReaderError, match=r"does not know \[gMASK\]: write \[MASK\]"):
        filled(large, "the [gMASK]")
    assert "[MASK]" not in filled(large, "the [MASK].")


def test_the_terminal_fills_blanks_and_answers_questions(reader):
    written = io.StringIO()
    converse(reader, GREEDY, io.StringIO("the fox [MASK] over\nthe fox\n" + "the " * 200 + "[MASK]\n"), written)
    blank, answer, refused = written.getvalue().split("\n> ")[1:4]
    assert blank == filled(reader, "the fox [MASK] over") + "\n"
    assert answer.strip()
    assert "shorten the text" in refused


def test_the_command_line_says_how_to_write_a_blank(reader, tmp_path, monkeypatch, capsys):
    publish("glm10b", tmp_path)
    write_blank_tokenizer("chinese", tmp_path)
    monkeypatch.setattr(sys, "stdin", io.StringIO("the fox [MASK] over\n"))
    assert main([str(tmp_path), "--precision", "fp32", "--max-tokens", "4", "--temperature", "0"]) == 0
    shown = capsys.readouterr().out
    assert "Write [MASK] where a blank is to be filled" in shown
    assert filled(reader, "the fox [MASK] over") in shown


def test_the_engine_packs_sources_into_1024_tokens(tmp_path):
    from model.blank.glm10b import GLM10BConfig, GLM10BForCausalLM
    from rag.engine import Engine
    from rag.settings import Settings
    from tests.fakes import ExactEmbedder
    from tests.rag.engines import add, ask
    from tests.rag.pdfs import text_pdf

    torch.manual_seed(0)
    folder = tmp_path / "glm-10b"
    config = GLM10BConfig(
        vocab_size=256, hidden_size=32, intermediate_size=64, num_hidden_layers=1, num_attention_heads=2,
        architectures=["GLM10BForCausalLM"], pad_token_id=240, bos_token_id=241, eos_token_id=242,
    )  # fmt: skip
    GLM10BForCausalLM(config).save_pretrained(folder)
    write_blank_tokenizer("gpt2", folder)
    reader = load_reader(folder, LoadSettings(precision="fp32", device="cpu"))
    assert reader.context_tokens == 1024
    page = "\n".join(f"Clause {at}. The rent of month {at} is due on the first day." for at in range(40))
    read = []
    prompt_ids = reader.prompter.ids

    def noted(messages):
        ids = prompt_ids(messages)
        read.append(list(ids))  # before those of the answer are added
        return ids

    reader.prompter.ids = noted
    with Engine(Settings(data_dir=tmp_path / "data"), embedder=ExactEmbedder, reader=reader) as engine:
        add(engine, ("lease.pdf", text_pdf([page] * 3)))
        found, text, _ = ask(engine, "When is the rent of month 12 due?")
    assert found.sources
    assert text
    longest = max(len(ids) for ids in read)
    assert 400 < longest <= 1024 - 256
    sources = reader.tokenizer.encode("Sources:\n[1] lease.pdf")
    assert read[-1][1 : 1 + len(sources)] == sources
