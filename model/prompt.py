"""Prompts: a request -> chat messages, for local and remote models alike; messages -> token ids, for local ones.

Control tokens are inserted by id, and text from people and documents is encoded as plain text (`model.tokenizer`), so
that no text can start or end a turn. ChatGLM-6B and ChatGLM2-6B mark turns with words rather than tokens: `[Round 2]`,
`问：` and `答：`. Where a text contains these, they are changed. All other text gives the same ids as the original
`chat()` functions. Does not know models, devices or how an answer is generated.
"""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import takewhile
from pathlib import Path
from typing import Any

from model.blank.filling import conversation_text, ending_in_blank, framed
from model.families import PromptFormat
from model.tokenizer import Tokenizer
from rag.errors import CheckpointRefused, PromptTooLong
from rag.language import has_chinese_without_kana
from rag.manner import AnswerLanguage, AnswerLength, Manner
from rag.reader import Evidence, ReadRequest, ReadSource

REMEMBERED = 8  # texts whose tokens are remembered: a prompt is built first for the page, then for the model
MIN_ANSWER = 64  # tokens; a prompt that leaves less room for the answer is refused

# What starts a turn for ChatGLM-6B and ChatGLM2-6B. The former's tokenizer folds compatibility forms such as ［.
_BRACKET = re.compile(r"[\[［﹇]")
_ROUND = re.compile(r"round\d")
_TURN = re.compile(r"(?<!\w)([问答])[^\w：:︓﹕\n]{0,8}[：:︓﹕]")
_ROUND_CHARACTERS = 48  # characters after a bracket that are examined

PromptPart = int | str  # the id of a control token, or text to encode separately


@dataclass(frozen=True, slots=True)
class ChatMessage:
    """One message of a conversation. All text is untrusted."""

    role: str  # system, user, assistant or observation
    content: str
    metadata: str = ""  # text behind the role token: the name of the tool that an assistant calls
    sources: str = ""  # text before the content, which stays when the oldest turns are dropped

    @property
    def text(self) -> str:
        """All of it."""
        return self.sources + self.content


# ---- request -> messages


@dataclass(frozen=True, slots=True)
class _Wording:
    """The fixed text of a prompt, in one language."""

    evidence: str
    sources: str
    notes: str
    page: str
    question: str
    reminder: str
    lengths: Mapping[AnswerLength, str]  # what is added to the reminder


_CHINESE = _Wording(
    evidence="可能的答案（请对照资料核实）：",
    sources="资料：",
    notes="资料笔记（方括号内为资料编号）：",
    page="第{page}页",
    question="问题：",
    reminder="请用中文回答，每句话末尾注明[编号]。",
    lengths={AnswerLength.SHORT: "最多用两句话回答。", AnswerLength.LONG: "请详细回答。"},
)
_ENGLISH = _Wording(
    evidence="What may answer it, to be checked against the sources:",
    sources="Sources:",
    notes="Notes of the sources, whose numbers stand in brackets:",
    page="page {page}",
    question="Question: ",
    reminder="Answer in the language of the question, and end every sentence with its source number [n].",
    lengths={AnswerLength.SHORT: " Answer in at most two sentences.", AnswerLength.LONG: " Answer in detail."},
)
_REMINDER_ENGLISH = "Answer in English, and end every sentence with its source number [n]."


def chat_messages(request: ReadRequest, *, instructed: bool = True) -> list[ChatMessage]:
    """The messages that ask a model to answer from the sources: instruction, sources, earlier turns and question.

    What stays the same from question to question comes first, so that its keys and values can be kept. The fixed text
    is in the language of the answer: Chinese or, for all others, English. There is no instruction without sources, or
    if `instructed` is off, for a model that does not follow any.
    """
    history = [
        message
        for turn in request.history
        for message in (ChatMessage("user", turn.question), ChatMessage("assistant", turn.answer))
    ]
    if not (request.sources or request.notes):
        return [*history, ChatMessage("user", request.question)]
    manner = request.manner
    in_chinese = manner.in_chinese(asked_in_chinese=has_chinese_without_kana(request.question))
    wording = _CHINESE if in_chinese else _ENGLISH
    question = (
        f"{_evidence_text(request.evidence, wording)}{wording.question}{request.question}\n{_reminder(manner, wording)}"
    )
    first, *rest = [*history, ChatMessage("user", question if instructed else request.question)]
    asked = [replace(first, sources=_given(request, wording)), *rest]
    return [ChatMessage("system", manner.instruction(in_chinese=in_chinese)), *asked] if instructed else asked


def _given(request: ReadRequest, wording: _Wording) -> str:
    """The sources, or the notes on them."""
    title = wording.notes if request.notes else wording.sources
    texts = request.notes or [_source_text(source, wording) for source in request.sources]
    return "\n\n".join([f"{title}\n{texts[0]}", *texts[1:]]) + "\n\n"


def _reminder(manner: Manner, wording: _Wording) -> str:
    """What to observe, repeated at the end: language, citations, length."""
    reminder = _REMINDER_ENGLISH if manner.language is AnswerLanguage.ENGLISH else wording.reminder
    return reminder + wording.lengths.get(manner.length, "")


def _evidence_text(evidence: Sequence[Evidence], wording: _Wording) -> str:
    """What was found beforehand, one line each, with the number of its source; "" for nothing."""
    lines = [f"- {' '.join(one.text.split())} [{one.number}]\n" for one in evidence]
    return f"{wording.evidence}\n{''.join(lines)}\n" if lines else ""


def _source_text(source: ReadSource, wording: _Wording) -> str:
    parts = (source.document, wording.page.format(page=source.page) if source.page else "", source.heading)
    return f"[{source.number}] {' · '.join(part for part in parts if part)}\n{source.text}"


# ---- messages -> token ids


class Prompter:
    """Builds the prompts of one checkpoint."""

    def __init__(self, tokenizer: Tokenizer, prompt_format: PromptFormat, template: str = "") -> None:
        """`template`: the checkpoint's own chat template in Jinja, used only with `PromptFormat.TEMPLATE`."""
        self.tokenizer = tokenizer
        self._encode = lru_cache(REMEMBERED)(tokenizer.encode)
        self._template = template
        builders: dict[PromptFormat, Callable[[Sequence[ChatMessage]], list[PromptPart]]] = {
            PromptFormat.CHATGLM1: self._chatglm1,
            PromptFormat.CHATGLM2: self._chatglm2,
            PromptFormat.CHATGLM3: self._chatglm3,
            PromptFormat.GLM4: self._glm4,
            PromptFormat.GLM10B: self._blank,
            PromptFormat.GLM130B: self._blank,
            PromptFormat.TEMPLATE: self._from_template if template else self._glm4,
        }
        self._build = builders[prompt_format]

    def ids(self, messages: Sequence[ChatMessage]) -> list[int]:
        """The token ids of a prompt, up to where the answer starts."""
        ids: list[int] = []
        for part in self._build(messages):
            ids += [part] if isinstance(part, int) else self._encode(part)
        return ids

    def text(self, messages: Sequence[ChatMessage]) -> str:
        """A prompt as text, with the names of its control tokens."""
        names = {token: name for name, token in self.tokenizer.special_tokens.items()}
        return "".join(names[part] if isinstance(part, int) else part for part in self._build(messages))

    def fit(self, messages: Sequence[ChatMessage], context: int, answer: int) -> tuple[list[int], int]:
        """The ids of a prompt that fits `context` tokens, and the tokens left for the answer, at most `answer`.

        Drops the oldest turns first, then shortens the answer. Raises PromptTooLong if that is not enough.
        """
        _, ids = self.fitting(messages, context - answer)
        room = min(answer, context - len(ids))
        if room < min(answer, MIN_ANSWER):
            raise PromptTooLong(
                "Question and sources take {tokens:,} tokens, and the reader has a context of {context:,}, answer"
                " included: ask something shorter, or choose a reader with a longer context.",
                tokens=len(ids),
                context=context,
            )
        return ids, room

    def fitting(self, messages: Sequence[ChatMessage], most: int) -> tuple[list[ChatMessage], list[int]]:
        """The messages and their ids, without as many of the oldest turns as necessary to fit `most` tokens.

        The sources of a dropped turn move to the next one.
        """
        kept = list(messages)
        while True:
            ids = self.ids(kept)
            oldest = next((at for at, message in enumerate(kept[:-1]) if message.role != "system"), None)
            if len(ids) <= most or oldest is None:
                return kept, ids
            next_user = next((at for at in range(oldest + 1, len(kept)) if kept[at].role == "user"), len(kept) - 1)
            kept[next_user] = replace(kept[next_user], sources=kept[oldest].sources + kept[next_user].sources)
            del kept[oldest:next_user]

    def common_tokens(self, messages: Sequence[ChatMessage], ids: Sequence[int]) -> int:
        """How many of a prompt's ids, counted from the first, come only from instruction and sources.

        Another question over the same sources has them, too.
        """
        at = next((n for n, message in enumerate(messages) if message.sources), None)
        if at is None:
            return 0
        unasked = self.ids([*messages[:at], replace(messages[at], content="")])
        return sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(ids, unasked, strict=False)))

    def framed(self, parts: Sequence[PromptPart]) -> list[PromptPart]:
        """A text with blanks, with the control tokens around it that a blank-filling model needs."""
        return framed(parts, self.tokenizer.special_tokens)

    def _special(self, name: str) -> int:
        try:
            return self.tokenizer.special_tokens[name]
        except KeyError as error:
            raise CheckpointRefused(
                "The tokenizer has no {token}, which this model's prompts need: choose another checkpoint.", token=name
            ) from error

    def _chatglm1(self, messages: Sequence[ChatMessage]) -> list[PromptPart]:
        """The bare question, or rounds counted from 0; [gMASK] <sop> at the end (modeling_chatglm.py, chat)."""
        rounds, question = _rounds(messages)
        text = "".join(f"[Round {at}]\n问：{q}\n答：{a}\n" for at, (q, a) in enumerate(rounds))
        text += f"[Round {len(rounds)}]\n问：{question}\n答：" if rounds else question
        return [text, self._special("[gMASK]"), self._special("<sop>")]

    def _chatglm2(self, messages: Sequence[ChatMessage]) -> list[PromptPart]:
        """Rounds counted from 1, even if there is only one (tokenization_chatglm.py, build_prompt)."""
        rounds, question = _rounds(messages)
        text = "".join(f"[Round {at}]\n\n问：{q}\n\n答：{a}\n\n" for at, (q, a) in enumerate(rounds, 1))
        text += f"[Round {len(rounds) + 1}]\n\n问：{question}\n\n答："
        return [self._special("[gMASK]"), self._special("sop"), text]

    def _chatglm3(self, messages: Sequence[ChatMessage]) -> list[PromptPart]:
        """A role token and two separately encoded texts for each message (build_single_message)."""
        parts: list[PromptPart] = [self._special("[gMASK]"), self._special("sop")]
        for message in messages:
            parts += [self._special(f"<|{message.role}|>"), f"{message.metadata}\n", message.text]
        return [*parts, self._special("<|assistant|>")]

    def _glm4(self, messages: Sequence[ChatMessage]) -> list[PromptPart]:
        """A role token and one text for each message; empty messages are left out (the published chat template)."""
        parts: list[PromptPart] = [self._special("[gMASK]"), self._special("<sop>")]
        for message in messages:
            if message.text:
                parts += [self._special(f"<|{message.role}|>"), f"{message.metadata}\n{message.text}"]
        return [*parts, self._special("<|assistant|>")]

    def _blank(self, messages: Sequence[ChatMessage]) -> list[PromptPart]:
        """The conversation as a text whose last answer is a blank."""
        return self.framed(ending_in_blank(conversation_text(messages), self.tokenizer.special_tokens))

    def _from_template(self, messages: Sequence[ChatMessage]) -> list[PromptPart]:
        """The checkpoint's own template with its control tokens as ids and the messages as plain text.

        The template is rendered with a placeholder for each message, so it never sees their text.
        """
        # Render the template around placeholders.
        placeholders = [f"\ue000{n}\ue001" for n in range(len(messages))]
        rendered = render_template(
            self._template,
            [{"role": message.role, "content": mark} for message, mark in zip(messages, placeholders, strict=True)],
        )
        if any(rendered.count(placeholder) != 1 for placeholder in placeholders):
            raise CheckpointRefused(
                "The chat template of this checkpoint drops or repeats messages: choose another checkpoint."
            )
        # Split it at control tokens and placeholders, and put the messages in.
        contents = {mark: message.text for mark, message in zip(placeholders, messages, strict=True)}
        control_tokens = sorted(self.tokenizer.special_tokens, key=len, reverse=True)
        parts: list[PromptPart] = []
        for piece in re.split("(" + "|".join(map(re.escape, [*placeholders, *control_tokens])) + ")", rendered):
            if piece in self.tokenizer.special_tokens:
                parts.append(self.tokenizer.special_tokens[piece])
            elif parts and isinstance(parts[-1], str):  # text between two control tokens is encoded at once
                parts[-1] += contents.get(piece, piece)
            elif piece:
                parts.append(contents.get(piece, piece))
        return parts


def read_template(folder: Path) -> str:
    """The chat template of a checkpoint folder, in Jinja; "" if it has none. Raises CheckpointRefused."""
    separate = folder / "chat_template.jinja"
    if separate.exists():
        return separate.read_text(encoding="utf-8")
    path = folder / "tokenizer_config.json"
    if not path.exists():
        return ""
    try:
        template = json.loads(path.read_text(encoding="utf-8")).get("chat_template") or ""
    except ValueError as error:
        raise CheckpointRefused("tokenizer_config.json is not valid JSON: download it again.") from error
    if isinstance(template, list):  # several, by name
        named = {entry["name"]: entry["template"] for entry in template}
        template = named.get("default", "")
    return str(template)


def render_template(template: str, messages: Sequence[Mapping[str, Any]]) -> str:
    """Render a chat template in transformers' sandbox, with reasoning turned off if the template can.

    Raises CheckpointRefused.
    """
    from jinja2 import TemplateError
    from transformers.utils.chat_template_utils import render_jinja_template

    try:
        rendered: Any = render_jinja_template(
            conversations=[[dict(message) for message in messages]],
            chat_template=template,
            add_generation_prompt=True,
            enable_thinking=False,
        )
    except (TemplateError, TypeError, ValueError) as error:
        raise CheckpointRefused(
            "The chat template of this checkpoint cannot be used ({reason}): choose another checkpoint.",
            reason=str(error),
        ) from error
    texts = rendered[0] if isinstance(rendered, tuple) else rendered
    return str(texts[0])


def _rounds(messages: Sequence[ChatMessage]) -> tuple[list[tuple[str, str]], str]:
    """The pairs of question and answer, and the last question; the system message comes before the first of them."""
    system = "\n".join(without_turns(message.text) for message in messages if message.role == "system")
    turns = [without_turns(message.text) for message in messages if message.role != "system"]
    if system:
        turns[0] = f"{system}\n\n{turns[0]}"
    return list(zip(turns[0:-1:2], turns[1:-1:2], strict=True)), turns[-1]


def without_turns(text: str) -> str:
    """`text` without what starts a turn for ChatGLM-6B and ChatGLM2-6B, replaced by `(Round 2]` and `问 -`."""

    def opened(bracket: re.Match[str]) -> str:
        after = unicodedata.normalize("NFKC", text[bracket.end() : bracket.end() + _ROUND_CHARACTERS])
        is_round = _ROUND.match("".join(filter(str.isalnum, after)).casefold())
        return "(" if is_round else bracket.group()

    return _TURN.sub(r"\1 -", _BRACKET.sub(opened, text))
