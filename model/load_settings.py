"""How a model is loaded, and where its checkpoint comes from: what people choose, as frozen dataclasses."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from model.families import KvPrecision
from model.hub import Progress


@dataclass(frozen=True, slots=True)
class Source:
    """Where the checkpoint comes from, for a folder or a hub id."""

    revision: str | None = None  # commit, branch or tag on the hub
    cache_dir: Path | None = None  # folder for downloads; None: the hub's own
    hub_only: bool = False  # it is a hub id, even if there is a folder of that name
    offline: bool = False  # open no socket
    progress: Progress | None = None  # called with bytes downloaded and bytes in total


@dataclass(frozen=True, slots=True)
class LoadSettings:
    """How a model is loaded."""

    precision: str = "auto"  # or bf16, fp16, fp32, int8, int4
    device: str = "auto"  # auto: the GPUs if there are any; or cpu, cuda:0, mps
    context: int | None = None  # longest prompt and answer together, tokens; None: what suits device, memory and model
    kv: KvPrecision = KvPrecision.FULL  # of keys and values
    prompt_cache: int | None = None  # bytes that it may take; None: a share of what is free once the model is loaded
    keep_in: Path | None = None  # folder in which quantised models are kept for the next start; None: they are not kept
    adapter: Path | None = None  # folder of an adapter trained with this model


NO_SETTINGS = LoadSettings()
ANYWHERE = Source()
