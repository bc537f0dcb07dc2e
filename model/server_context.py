"""What a model server tells about itself: how long its context is, and whether it can keep people's prompts apart.

Each kind of server tells its context in a different place, and OpenAI's protocol has none for it.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import httpx

log = logging.getLogger(__name__)

ASK_SECONDS: Final = 5.0  # for each request to the server
# Fields of an entry of /v1/models: vLLM and SGLang; OpenRouter and LM Studio; Groq.
_LISTED: Final = ("max_model_len", "context_length", "context_window")
# Paths next to version 1 of the API, and the fields there: llama.cpp (of one slot), SGLang.
_ELSEWHERE: Final = {
    "/props": (("default_generation_settings", "n_ctx"),),
    "/get_model_info": (("max_model_len",), ("context_length",)),
    "/get_server_info": (("context_length",), ("max_req_input_len",), ("max_total_num_tokens",)),
}
_META: Final = ("n_ctx", "n_ctx_train")  # of llama.cpp's entry; the second is what the model was trained for
# `owned_by` of an entry of servers whose requests have a field `cache_salt`: what is computed for a prompt is reused
# for the same salt alone. https://docs.vllm.ai/en/latest/design/prefix_caching/ and ChatCompletionRequest of SGLang.
_SALTED: Final = frozenset({"vllm", "sglang"})


@dataclass(frozen=True, slots=True)
class ServerFacts:
    """What a server tells about a model."""

    context: int | None = None  # longest prompt and answer together, in tokens; None: it does not tell
    takes_salt: bool = False  # requests may have a `cache_salt`
    reached: bool = False  # whether it could be reached


def ask_server(url: str, model: str, headers: Mapping[str, str]) -> ServerFacts:
    """What a server tells about a model.

    `url`: of version 1 of the API. Takes a few requests of at most `ASK_SECONDS` each.
    """
    try:
        with httpx.Client(timeout=ASK_SECONDS, headers=dict(headers), trust_env=False) as client:
            entry = _entry(_json(client, f"{url}/models"), model)
            context = listed_context(entry, with_meta=False) or _elsewhere(client, url) or listed_context(entry)
            return ServerFacts(context, str(entry.get("owned_by")) in _SALTED, reached=True)
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        log.info("%s does not tell the context of %s (%s)", url, model, type(error).__name__)
        return ServerFacts()


def listed_context(entry: Mapping[str, Any], *, with_meta: bool = True) -> int | None:
    """The context in an entry of `GET /v1/models`, in tokens. `with_meta`: also what llama.cpp adds there."""
    meta = entry.get("meta")
    found = [entry.get(name) for name in _LISTED]
    found += [meta.get(name) for name in _META] if with_meta and isinstance(meta, dict) else []
    return next(filter(None, map(_tokens, found)), None)


def _elsewhere(client: httpx.Client, url: str) -> int | None:
    for path, fields in _ELSEWHERE.items():
        data = _json(client, url.removesuffix("/v1") + path)
        for names in fields:
            value: Any = data
            for name in names:
                value = value.get(name) if isinstance(value, dict) else None
            if tokens := _tokens(value):
                return tokens
    return None


def _entry(listed: Any, model: str) -> dict[str, Any]:
    """The entry of a model; if there is only one, that one, whatever its name."""
    data = listed.get("data") if isinstance(listed, dict) else None
    entries = [one for one in data if isinstance(one, dict)] if isinstance(data, list) else []
    named = [one for one in entries if one.get("id") == model]
    return (named or (entries if len(entries) == 1 else []) or [{}])[0]


def _json(client: httpx.Client, url: str) -> Any:
    response = client.get(url)
    try:
        return response.json() if response.is_success else None
    except ValueError:
        return None


def _tokens(value: Any) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and value > 0 else None
