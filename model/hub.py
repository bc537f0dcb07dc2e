"""Checkpoint folders: found on this disk, or downloaded from the hub. The only module that opens a socket for them.

Downloads resume where they broke off, and go to the mirror that `HF_ENDPOINT` names; both are done by
huggingface_hub. Only data is fetched, no program code. Files are checked against the SHA-256 the hub gives.
"""

from __future__ import annotations

import hashlib
import io
import logging
import re
import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from huggingface_hub import snapshot_download, try_to_load_from_cache
from huggingface_hub.errors import (  # type: ignore[attr-defined] # HTTPError, of the httpx it was built on
    DryRunError,
    GatedRepoError,
    HFValidationError,
    HTTPError,
    RepositoryNotFoundError,
    RevisionNotFoundError,
)
from tqdm.auto import tqdm  # type: ignore[import-untyped]

from model.checkpoint import open_checkpoint
from model.families import GB, find_family
from rag.errors import CheckpointRefused, ModelMissing

log = logging.getLogger(__name__)

Progress = Callable[[int, int], None]  # bytes so far, bytes in all

TOKENIZERS = ("tokenizer.json", "tokenizer.model", "ice_text.model")
OWNERS = ("zai-org", "THUDM")  # hold the same files; the second is the name of before 2025
DATA_FILES = ("*.json", "*.jinja", "*.model", "*.txt", "*.safetensors", "*.bin")


def find_checkpoint(
    name: str,
    *,
    revision: str | None = None,
    cache_dir: Path | None = None,
    hub_only: bool = False,
    offline: bool = False,
    progress: Progress | None = None,
) -> Path:
    """The folder of a checkpoint: `name` itself if it is one, else that hub id, downloaded where it is not here.

    With `hub_only` no folder but the hub's cache is looked at; with `offline` no socket is opened.
    Raises ModelMissing or CheckpointRefused with one sentence.
    """
    if name and not hub_only and Path(name).is_dir():
        return Path(name)
    family = find_family(name)
    hub_id = name if "/" in name or family is None else family.hub_id
    revision = revision or pinned(hub_id)
    if not re.fullmatch(r"[\w.-]+/[\w.-]+", hub_id):
        raise ModelMissing(f"{name!r} is neither a folder nor a hub id such as THUDM/GLM-4-9B-0414.")
    known = _cached(hub_id, revision, cache_dir, offline=offline)
    if known is not None:
        return known
    if offline:
        raise ModelMissing(
            f"{hub_id} is not, or not wholly, on this machine, and nothing may be fetched: start once with"
            " --allow-download (python -m model.chat: without --offline), or name a folder that holds its files."
        )
    with _hub_errors(hub_id):
        return _download(hub_id, revision, cache_dir, progress)


def pinned(hub_id: str) -> str | None:
    """The commit to take of a known checkpoint; None for others, also those of a known name but another owner."""
    family = find_family(hub_id)
    return family.revision if family and hub_id.split("/")[0] in OWNERS else None


def on_disk(name: str, *, cache_dir: Path | None = None) -> str | None:
    """The hub id under which a checkpoint lies in the hub's cache, None where it is not or not wholly there.

    A known one is looked for under each of its owners. Opens no socket.
    """
    family = find_family(name)
    owner, slash, _ = name.partition("/")
    ids = [name] if slash else []
    ids += [f"{other}/{family.name}" for other in OWNERS] if family and (owner in OWNERS or not slash) else []
    for hub_id in dict.fromkeys(ids):
        try:
            if _cached(hub_id, pinned(hub_id), cache_dir, offline=False) is not None:
                return hub_id
        except CheckpointRefused:  # it is there, and loading it says what is wrong with it
            return hub_id
    return None


def _cached(hub_id: str, revision: str | None, cache_dir: Path | None, *, offline: bool) -> Path | None:
    """The folder in the cache, when nothing of it is missing; opens no socket."""
    try:
        config = try_to_load_from_cache(hub_id, "config.json", cache_dir=cache_dir, revision=revision)
        if not isinstance(config, str):
            return None
        folder = Path(config).parent
        open_checkpoint(folder)
    except (HFValidationError, ModelMissing):
        return None
    has_tokenizer = any((folder / name).exists() for name in TOKENIZERS)
    return folder if has_tokenizer or offline else None


def _download(hub_id: str, revision: str | None, cache_dir: Path | None, progress: Progress | None) -> Path:
    planned = snapshot_download(
        hub_id,
        revision=revision,
        cache_dir=cache_dir,
        allow_patterns=list(DATA_FILES),
        dry_run=True,
        tqdm_class=_reporting(_nothing),
    )
    skipped = unneeded([file.filename for file in planned])
    fetched = [file for file in planned if file.filename not in skipped and file.will_download]
    missing = sum(file.file_size or 0 for file in fetched)
    _check_disk(missing, Path(fetched[0].local_path) if fetched else None)
    log.info("downloading %s: %d files, %.1f GB", hub_id, len(fetched), missing / GB)
    folder = snapshot_download(
        hub_id,
        revision=revision,
        cache_dir=cache_dir,
        allow_patterns=list(DATA_FILES),
        ignore_patterns=skipped,
        tqdm_class=_reporting(progress or _nothing),
    )
    for file in fetched:
        verify(Path(folder) / file.filename)
    return Path(folder)


def unneeded(files: Sequence[str]) -> list[str]:
    """Files of a repository that loading does not need: `.bin` weights beside safetensors, and other formats."""
    has_safetensors = any(re.fullmatch(r"model(-\d+-of-\d+)?\.safetensors", name) for name in files)
    weights = re.compile(r"(model|pytorch_model|weights)(-\d+-of-\d+)?\.(safetensors|bin)")
    return [
        name
        for name in files
        if (name.endswith((".bin", ".safetensors")) and not weights.fullmatch(name))
        or (has_safetensors and name.endswith((".bin", ".bin.index.json")))
    ]


def verify(path: Path) -> None:
    """Check a downloaded file against its SHA-256, by which the cache names large files. CheckpointRefused if wrong."""
    wanted = path.resolve().name
    if not re.fullmatch(r"[0-9a-f]{64}", wanted):
        return  # a small file, named by its git hash
    with path.open("rb") as stream:
        found = hashlib.file_digest(stream, "sha256").hexdigest()
    if found != wanted:
        path.resolve().unlink()
        raise CheckpointRefused(
            f"{path.name} arrived damaged (SHA-256 {found[:12]}… instead of {wanted[:12]}…) and was deleted;"
            " download it again."
        )


def _check_disk(missing: int, where: Path | None) -> None:
    if where is None:
        return
    folder = next(parent for parent in where.absolute().parents if parent.exists())
    free = shutil.disk_usage(folder).free
    if missing > free:
        raise ModelMissing(
            f"The download takes {missing / GB:.1f} GB and {free / GB:.1f} GB are free in {folder}; make room,"
            " or move the cache with HF_HOME."
        )


def _nothing(done: int, total: int) -> None:
    """A progress nobody asked for."""


def _reporting(progress: Progress) -> type:
    """A progress bar class that shows nothing and reports bytes written to disk."""

    class Reporting(tqdm):  # type: ignore[misc] # tqdm has no types
        def __init__(self, *args: Any, **kwargs: Any) -> None:
            super().__init__(*args, **{**kwargs, "file": io.StringIO(), "disable": False})
            self._counts = kwargs.get("unit") == "B" and "Reconstructing" in kwargs.get("desc", "")

        def update(self, n: float | None = 1) -> bool | None:
            shown: bool | None = super().update(n)
            if self._counts:
                progress(int(self.n), int(self.total or 0))
            return shown

    return Reporting


@contextmanager
def _hub_errors(hub_id: str) -> Iterator[None]:
    """Whatever the hub's client raises, as one sentence."""
    try:
        yield
    except (HTTPError, OSError) as error:
        # A failed look at what there is to download hides its reason behind an error of its own.
        reason = error.__cause__ if isinstance(error, DryRunError) and error.__cause__ else error
        raise ModelMissing(_sentence(hub_id, reason)) from error


def _sentence(hub_id: str, reason: BaseException) -> str:
    if isinstance(reason, GatedRepoError):
        return f"{hub_id} wants its terms accepted; do so on its page and log in with `hf auth login`."
    if isinstance(reason, RepositoryNotFoundError):
        return f"The hub has no {hub_id}; check the name."
    if isinstance(reason, RevisionNotFoundError):
        return f"{hub_id} has no such revision on the hub; leave the revision out."
    if isinstance(reason, OSError) and reason.errno is not None and not isinstance(reason, ConnectionError):
        return f"The download of {hub_id} could not be written to disk ({reason.strerror}); make room or use HF_HOME."
    return (
        f"The download of {hub_id} from the hub broke off or never began; what came is kept. Go online and try again,"
        " name a mirror in HF_ENDPOINT, or give a folder."
    )
