"""Conversations as the original chat functions lay them out: `tests/data/conversations.json`."""

import json

import pytest

from model.families import PromptFormat
from model.prompt import ChatMessage, Prompter
from tests.model.reference import DATA, FAMILIES, original_tokenizer, tokenizer_of

CONVERSATIONS = json.loads((DATA / "conversations.json").read_text("utf-8"))


def conversations(family):
    """Messages, and the prompt of each: texts, and special tokens as lists of one name."""
    for case in CONVERSATIONS[family]:
        yield [ChatMessage(**message) for message in case["messages"]], case["parts"]


def laid_out(tokenizer, parts):
    """The ids of a prompt, each text encoded separately."""
    ids = [[tokenizer.special_tokens[part[0]]] if isinstance(part, list) else tokenizer.encode(part) for part in parts]
    return [token for part in ids for token in part]


@pytest.mark.parametrize("tokenizer", [tokenizer_of, original_tokenizer], ids=["tiny", "original"])
@pytest.mark.parametrize("family", FAMILIES)
def test_prompts_are_laid_out_as_by_the_original_chat_functions(family, tokenizer):
    prompter = Prompter(tokenizer(family), PromptFormat(family))
    for messages, parts in conversations(family):
        assert prompter.ids(messages) == laid_out(tokenizer(family), parts)
