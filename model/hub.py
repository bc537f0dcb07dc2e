"""Finds a checkpoint folder on this disk or downloads it from the hub; the only module that opens a socket for that.

Downloads resume where they broke off, and use the mirror named by `HF_ENDPOINT`; huggingface_hub does both. Only data
is downloaded, never program code. Large files are checked against the SHA-256 that the hub states.
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

Progress = Callable[[int, int], None]  # bytes downloaded, bytes in total

OWNERS = ("zai-org", "THUDM")  # the makers' organisation on the hub: its current name, and that until 2025
TOKENIZER_FILES = (
    "tokenizer.json", "tokenizer.model", "ice_text.model", "cog-pretrain.model", "vocab.json", "vocab.txt",
)  # fmt: skip
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
    """The folder of a checkpoint: `name` itself if it is a folder, else the files of that hub id, downloaded if needed.

    A known checkpoint is also found in the cache under its makers' other organisation, THUDM or zai-org.
    `hub_only`: `name` is a hub id even if there is a folder of that name; `offline`: open no socket. Raises
    ModelMissing or CheckpointRefused.
    """
    if name and not hub_only and Path(name).is_dir():
        return Path(name)
    family = find_family(name)
    hub_id = name if "/" in name or family is None else family.hub_id
    if not re.fullmatch(r"[\w.-]+/[\w.-]+", hub_id):
        raise ModelMissing("{name} is neither a folder nor a hub id such as zai-org/GLM-4-9B-0414.", name=repr(name))
    for candidate in _equivalent_ids(hub_id):
        cached = _cached(candidate, revision or pinned_revision(candidate), cache_dir, offline=offline)
        if cached is not None:
            return cached
    if family is not None and not family.on_hub:
        raise ModelMissing(
            "{model} is not on the hub: ask its makers for it (github.com/THUDM/GLM-130B), convert its parts with"
            " python -m model.convert, and name that folder.",
            model=family.name,
        )
    if offline:
        raise ModelMissing(
            "{model} is not (completely) on this machine, and downloads are off: start once with --allow-download"
            " (python -m model.chat: without --offline), or name a folder that holds its files.",
            model=hub_id,
        )
    with _hub_errors(hub_id):
        return _download(hub_id, revision or pinned_revision(hub_id), cache_dir, progress)


def pinned_revision(hub_id: str) -> str | None:
    """The commit of a known checkpoint to use; None for the newest, and for a namesake of another owner."""
    family = find_family(hub_id)
    return family.revision if family and hub_id.split("/")[0] in OWNERS else None


def cached_hub_id(name: str, *, cache_dir: Path | None = None) -> str | None:
    """The hub id under which a checkpoint is in the hub's cache; None if it is not, or is incomplete.

    A known checkpoint is looked up under each organisation of its makers. Opens no socket.
    """
    for hub_id in _equivalent_ids(name):
        try:
            if _cached(hub_id, pinned_revision(hub_id), cache_dir, offline=False) is not None:
                return hub_id
        except CheckpointRefused:  # it is there; loading it will tell what is wrong with it
            return hub_id
    return None


def _equivalent_ids(name: str) -> list[str]:
    """Hub ids of the same files; the given one comes first."""
    family = find_family(name)
    owner, slash, _ = name.partition("/")
    ids = [name] if slash else []
    if family and (owner in OWNERS or not slash):
        ids += [f"{other}/{family.name}" for other in OWNERS]
    return list(dict.fromkeys(ids))


def _cached(hub_id: str, revision: str | None, cache_dir: Path | None, *, offline: bool) -> Path | None:
    """The folder in the hub's cache if it is complete; opens no socket.

    A missing tokenizer makes it incomplete only if it could be downloaded (not `offline`).
    """
    try:
        config = try_to_load_from_cache(hub_id, "config.json", cache_dir=cache_dir, revision=revision)
        if not isinstance(config, str):
            return None
        folder = Path(config).parent
        open_checkpoint(folder)
    except (HFValidationError, ModelMissing):
        return None
    has_tokenizer = any((folder / name).exists() for name in TOKENIZER_FILES)
    return folder if has_tokenizer or offline else None


def _download(hub_id: str, revision: str | None, cache_dir: Path | None, progress: Progress | None) -> Path:
    planned = snapshot_download(
        hub_id,
        revision=revision,
        cache_dir=cache_dir,
        allow_patterns=list(DATA_FILES),
        dry_run=True,
        tqdm_class=_progress_bar(_ignore_progress),
    )
    skipped = unneeded_files([file.filename for file in planned])
    fetched = [file for file in planned if file.filename not in skipped and file.will_download]
    missing = sum(file.file_size or 0 for file in fetched)
    _check_disk(missing, Path(fetched[0].local_path) if fetched else None)
    log.info("Downloading %s: %d files, %.1f GB", hub_id, len(fetched), missing / GB)
    folder = snapshot_download(
        hub_id,
        revision=revision,
        cache_dir=cache_dir,
        allow_patterns=list(DATA_FILES),
        ignore_patterns=skipped,
        tqdm_class=_progress_bar(progress or _ignore_progress),
    )
    for file in fetched:
        verify_sha256(Path(folder) / file.filename)
    return Path(folder)


def unneeded_files(files: Sequence[str]) -> list[str]:
    """The weight files of a repository to skip: `.bin` if there are safetensors, and those of other formats."""
    has_safetensors = any(re.fullmatch(r"model(-\d+-of-\d+)?\.safetensors", name) for name in files)
    weights = re.compile(r"(model|pytorch_model|weights)(-\d+-of-\d+)?\.(safetensors|bin)")
    return [
        name
        for name in files
        if (name.endswith((".bin", ".safetensors")) and not weights.fullmatch(name))
        or (has_safetensors and name.endswith((".bin", ".bin.index.json")))
    ]


def verify_sha256(path: Path) -> None:
    """Check a downloaded file against its SHA-256, which is the name of large files in the hub's cache.

    Raises CheckpointRefused, and deletes the file, if they differ. Small files are named by their git hash and are not
    checked.
    """
    expected = path.resolve().name
    if not re.fullmatch(r"[0-9a-f]{64}", expected):
        return
    with path.open("rb") as stream:
        found = hashlib.file_digest(stream, "sha256").hexdigest()
    if found != expected:
        path.resolve().unlink()
        raise CheckpointRefused(
            "{file} arrived damaged (SHA-256 {found}… instead of {expected}…) and was deleted; download it again.",
            file=path.name,
            found=found[:12],
            expected=expected[:12],
        )


def _check_disk(missing: int, where: Path | None) -> None:
    if where is None:
        return
    folder = next(parent for parent in where.absolute().parents if parent.exists())
    free = shutil.disk_usage(folder).free
    if missing > free:
        raise ModelMissing(
            "The download takes {needed:.1f} GB and {free:.1f} GB are free in {folder}; free some space, or move the"
            " cache with HF_HOME.",
            needed=missing / GB,
            free=free / GB,
            folder=str(folder),
        )


def _ignore_progress(done: int, total: int) -> None:
    """Default of callers that do not follow the progress."""


def _progress_bar(progress: Progress) -> type:
    """A tqdm class that draws nothing and reports the bytes written to disk."""

    class Silent(tqdm):  # type: ignore[misc] # tqdm has no types
        def __init__(self, *args: Any, **kwargs: Any) -> None:
            super().__init__(*args, **{**kwargs, "file": io.StringIO(), "disable": False})
            self._counts_bytes = kwargs.get("unit") == "B" and "Reconstructing" in kwargs.get("desc", "")

        def update(self, n: float | None = 1) -> bool | None:
            shown: bool | None = super().update(n)
            if self._counts_bytes:
                progress(int(self.n), int(self.total or 0))
            return shown

    return Silent


@contextmanager
def _hub_errors(hub_id: str) -> Iterator[None]:
    """Turn what the hub's client raises into ModelMissing."""
    try:
        yield
    except (HTTPError, OSError) as error:
        # DryRunError hides the reason of a failed file listing in its cause.
        reason = error.__cause__ if isinstance(error, DryRunError) and error.__cause__ else error
        raise _error_for(hub_id, reason) from error


def _error_for(hub_id: str, reason: BaseException) -> ModelMissing:
    if isinstance(reason, GatedRepoError):
        return ModelMissing(
            "{model} is gated: accept its terms on its page on the hub, and log in with `hf auth login`.", model=hub_id
        )
    if isinstance(reason, RepositoryNotFoundError):
        return ModelMissing("The hub has no {model}; check the name.", model=hub_id)
    if isinstance(reason, RevisionNotFoundError):
        return ModelMissing("{model} has no such revision on the hub; leave the revision out.", model=hub_id)
    if isinstance(reason, OSError) and reason.errno is not None and not isinstance(reason, ConnectionError):
        return ModelMissing(
            "The download of {model} could not be written to disk ({reason}); free some space or use HF_HOME.",
            model=hub_id,
            reason=reason.strerror or type(reason).__name__,
        )
    return ModelMissing(
        "{model} could not be downloaded completely from the hub; what has arrived is kept. Go online and try"
        " again, name a mirror in HF_ENDPOINT, or give a folder.",
        model=hub_id,
    )
