"""The options: one table for the command line and the environment, and the settings they make.

Takes the environment as a mapping and reads nothing of it on its own; does not know what is done with the options.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from rag.errors import SettingRefused
from rag.settings import MB, Limits, Settings

PREFIX: Final = "ASK_"
LONGEST_PATH: Final = 255  # bytes; a longer value of --auth is no file


@dataclass(frozen=True)
class Option:
    """One option: `--name` on the command line, ASK_NAME in the environment."""

    name: str
    default: Any
    takes: Callable[[str], Any]  # raises ValueError
    values: str  # what it takes, in words
    help: str
    group: str = "options"

    @property
    def flag(self) -> str:
        """As on the command line."""
        return "--" + self.name

    @property
    def key(self) -> str:
        """As an attribute of the parsed options."""
        return self.name.replace("-", "_")

    @property
    def variable(self) -> str:
        """As in the environment."""
        return PREFIX + self.key.upper()

    def read(self, text: str, given_as: str) -> Any:
        """The value of `text`. Raises SettingRefused naming the option and what it takes."""
        try:
            return self.takes(text)
        except ValueError as error:
            raise SettingRefused(f"{given_as} takes {self.values}, not {text!r}.") from error


def _whole(lowest: int, highest: int) -> Callable[[str], int]:
    def takes(text: str) -> int:
        number = int(text)
        if not lowest <= number <= highest:
            raise ValueError(text)
        return number

    return takes


def _one_of(*names: str) -> Callable[[str], str]:
    def takes(text: str) -> str:
        if text not in names:
            raise ValueError(text)
        return text

    return takes


def _switch(text: str) -> bool:
    if text.lower() in ("1", "true", "yes", "on"):
        return True
    if text.lower() in ("0", "false", "no", "off", ""):
        return False
    raise ValueError(text)


def _name(text: str) -> str:
    if not text.strip():
        raise ValueError(text)
    return text.strip()


def _names(text: str) -> tuple[str, ...]:
    return tuple(part.strip().lower() for part in text.split(",") if part.strip())


def _folders(text: str) -> tuple[Path, ...]:
    return tuple(Path(part) for part in text.split(os.pathsep) if part)


READERS: Final = ("auto", "quote", "glm", "remote")
PRECISIONS: Final = ("auto", "bf16", "fp16", "fp32", "int8", "int4")
LEVELS: Final = ("debug", "info", "warning", "error")

OPTIONS: Final = (
    Option("host", "127.0.0.1", _name, "an address or a host name",
           "address to listen on; 0.0.0.0 for every network of this machine", "server"),
    Option("port", 7860, _whole(0, 65535), "a whole number from 0 to 65535",
           "port to listen on; 0 for any free one", "server"),
    Option("host-name", (), _names, "names, separated by commas",
           "names that this server is reached by besides localhost and addresses, separated by commas", "server"),
    Option("auth", "", _name, "a file, or user:password pairs separated by commas",
           "ask for a login: user:password[,user:password], or a file with one user:password a line; each user "
           "has documents of their own beside the shared ones", "server"),
    Option("share", False, _switch, "1 or 0",
           "open a public address through Gradio's servers", "server"),
    Option("data-dir", Path("data"), Path, "a folder", "where documents and the index are kept", "documents"),
    Option("cache-dir", Path.home() / ".cache" / "ask-your-pdfs", Path, "a folder",
           "where unpacked weights are kept", "documents"),
    Option("add", (), _folders, f"folders or files, separated by {os.pathsep!r}",
           "add the PDFs of this folder, or this file, as shared documents; may be given again", "documents"),
    Option("reader", "auto", _one_of(*READERS), "one of " + ", ".join(READERS),
           "what answers: a GLM on this machine, a GLM on a server, or the quote reader, which needs no model",
           "models"),
    Option("model", "", _name, "a model's name or a folder",
           "which GLM: a hub name such as zai-org/GLM-4-9B-0414, or a folder", "models"),
    Option("precision", "auto", _one_of(*PRECISIONS), "one of " + ", ".join(PRECISIONS),
           "how the weights of the GLM are held", "models"),
    Option("server", "", _name, "an address such as http://localhost:8000/v1",
           "address of an OpenAI-compatible server for --reader remote; its key is read from ASK_SERVER_KEY",
           "models"),
    Option("context", 0, _whole(2_048, 10_000_000), "a whole number from 2048 to 10000000",
           "longest prompt and answer together, in tokens; by default 8192 on a CPU or a server and 32768 on a GPU, or "
           "what the model can do if that is less", "models"),
    Option("re-embed", False, _switch, "1 or 0",
           "make the vectors of all documents anew, after a change of --embedder", "models"),
    Option("embedder", "auto", _name, "auto, a model's name or a folder",
           "what turns text into vectors; auto takes multilingual-e5-small, or BAAI/bge-m3 if it is on disk and a GPU "
           "is there", "models"),
    Option("reranker", "auto", _name, "auto, none, a model's name or a folder",
           "what looks at the passages found once more; auto takes BAAI/bge-reranker-v2-m3 if there is a GPU and it is "
           "on disk or may be fetched", "models"),
    Option("allow-download", False, _switch, "1 or 0",
           "fetch models that are not on this machine from the hub; without it no model is fetched", "models"),
    Option("max-file-mb", Limits.file_bytes // MB, _whole(1, 100_000), "a whole number from 1 to 100000",
           "largest file, in MB", "limits"),
    Option("max-pages", Limits.pages, _whole(1, 1_000_000), "a whole number from 1 to 1000000",
           "most pages of a document", "limits"),
    Option("max-question", Limits.question_characters, _whole(10, 1_000_000), "a whole number from 10 to 1000000",
           "longest question, in characters", "limits"),
    Option("max-seconds", Limits.read_cpu_seconds, _whole(1, 3_600), "a whole number from 1 to 3600",
           "processor time for reading one document, in seconds", "limits"),
    Option("max-memory-mb", Limits.read_memory_bytes // 2**20, _whole(64, 1_000_000),
           "a whole number from 64 to 1000000",
           "memory for reading one document, in MB", "limits"),
    Option("log-level", "info", _one_of(*LEVELS), "one of " + ", ".join(LEVELS), "how much is logged", "log"),
    Option("debug", False, _switch, "1 or 0", "let unexpected errors through with their traceback", "log"),
)  # fmt: skip


def parse(arguments: Sequence[str], environment: Mapping[str, str]) -> argparse.Namespace:
    """Options by their key: from the command line, else from the environment, else the default.

    Raises SettingRefused for a value that an option does not take; argparse exits for --help and unknown options.
    """
    given = vars(_parser().parse_args(list(arguments)))
    options = argparse.Namespace(list_models=given.pop("list_models"))
    for option in OPTIONS:
        texts: list[str] | None = given[option.key]
        if texts is not None:
            values = [option.read(text, option.flag) for text in texts]
            value = sum(values, ()) if option.default == () else values[-1]
        elif option.variable in environment:
            value = option.read(environment[option.variable], f"{option.variable} ({option.flag})")
        else:
            value = option.default
        setattr(options, option.key, value)
    return options


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python app.py",
        description="Questions over your own PDFs, answered on this machine, every sentence with its page.",
        allow_abbrev=False,
    )
    groups: dict[str, Any] = {}
    for option in OPTIONS:
        group = groups.setdefault(option.group, None) or parser.add_argument_group(option.group)
        groups[option.group] = group
        shown = "" if option.default in ("", (), False) else f"; {option.default} unless given"
        text = f"{option.help}{shown} [{option.variable}]".replace("%", "%%")
        if option.takes is _switch:
            group.add_argument(option.flag, dest=option.key, action="append_const", const="1", help=text)
        else:
            group.add_argument(option.flag, dest=option.key, action="append", metavar="VALUE", help=text)
    parser.add_argument("--list-models", action="store_true", help="list the GLMs that are known, and leave")
    return parser


def settings_of(options: argparse.Namespace) -> Settings:
    """The pipeline's settings."""
    limits = Limits(
        file_bytes=options.max_file_mb * MB,
        pages=options.max_pages,
        question_characters=options.max_question,
        read_cpu_seconds=options.max_seconds,
        read_wall_seconds=max(Limits.read_wall_seconds, options.max_seconds * 4),
        read_memory_bytes=options.max_memory_mb * 1024 * 1024,
    )
    return Settings(data_dir=options.data_dir, limits=limits)


def logins_of(text: str) -> dict[str, str]:
    """User and password pairs of `--auth`. Raises SettingRefused without repeating a password."""
    if not text:
        return {}
    try:
        from_file = len(os.fsencode(text)) < LONGEST_PATH and Path(text).is_file()
        pairs = Path(text).read_text(encoding="utf-8").splitlines() if from_file else text.split(",")
    except (OSError, UnicodeDecodeError) as error:
        raise SettingRefused(f"--auth: the file it names cannot be read ({type(error).__name__}).") from error
    logins: dict[str, str] = {}
    for pair in pairs:
        if not pair.strip() or (from_file and pair.lstrip().startswith("#")):
            continue
        user, colon, password = pair.strip().partition(":")
        if not (user.strip() and colon and password):
            raise SettingRefused("--auth takes user:password[,user:password], or a file with one such pair a line.")
        logins[user.strip()] = password
    if not logins:
        raise SettingRefused("--auth: there is no user:password pair in what it names.")
    return logins
