"""The command-line options and environment variables: one table for both, and the resulting settings.

The environment is passed in as a mapping. Does not know what the options are used for.
"""

from __future__ import annotations

import argparse
import os
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Network, ip_network
from pathlib import Path
from typing import Any, Final

from rag.config import override, read_config
from rag.errors import SettingRefused
from rag.reader import Sampling
from rag.settings import MB, MIB, Limits, Settings

PREFIX: Final = "ASK_"
CACHE_FOLDER: Final = Path.home() / ".cache" / "ask-your-pdfs"
MAX_PATH_BYTES: Final = 255  # a longer value of --auth cannot be the path of a file


@dataclass(frozen=True)
class _Flag:
    """Something given as `--name` on the command line."""

    name: str

    @property
    def flag(self) -> str:
        """Its name on the command line."""
        return "--" + self.name

    @property
    def key(self) -> str:
        """Its attribute in the parsed options."""
        return self.name.replace("-", "_")


@dataclass(frozen=True)
class Option(_Flag):
    """An option: `--name` on the command line, ASK_NAME in the environment."""

    default: Any
    convert: Callable[[str], Any]  # raises ValueError
    values: str  # what it accepts, in words
    help: str
    group: str

    @property
    def variable(self) -> str:
        """Its environment variable."""
        return PREFIX + self.key.upper()

    @property
    def shown_default(self) -> str:
        """The default as `--help` and docs/options.md show it; "" if there is none."""
        return "" if self.default in ("", (), False) else str(self.default).replace(str(Path.home()), "~")

    def read(self, text: str, given_as: str) -> Any:
        """The value of `text`. Raises SettingRefused, naming the option and what it accepts."""
        try:
            return self.convert(text)
        except ValueError as error:
            raise SettingRefused(
                "{option} takes {values}, not {value!r}.", option=given_as, values=self.values, value=text
            ) from error


def _whole(lowest: int, highest: int) -> Callable[[str], int]:
    def convert(text: str) -> int:
        number = int(text)
        if not lowest <= number <= highest:
            raise ValueError(text)
        return number

    return convert


def _auto_or(convert: Callable[[str], int]) -> Callable[[str], int | str]:
    return lambda text: text if text == "auto" else convert(text)


def _one_of(*names: str) -> Callable[[str], str]:
    def convert(text: str) -> str:
        if text not in names:
            raise ValueError(text)
        return text

    return convert


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


def _networks(text: str) -> tuple[IPv4Network | IPv6Network, ...]:
    return tuple(ip_network(part.strip()) for part in text.split(",") if part.strip())


def _device(text: str) -> str:
    if not re.fullmatch(r"auto|cpu|mps|cuda(:\d{1,3})?", text, re.ASCII):
        raise ValueError(text)
    return text


def _file(text: str) -> Path:
    return Path(_name(text))


def _folders(text: str) -> tuple[Path, ...]:
    return tuple(Path(part) for part in text.split(os.pathsep) if part)


ROLES: Final = ("administrator", "editor", "reader")
READERS: Final = ("auto", "quote", "glm", "remote")
KV_PRECISIONS: Final = ("full", "int8")
PRECISIONS: Final = ("auto", "bf16", "fp16", "fp32", "int8", "int4")
LEVELS: Final = ("debug", "info", "warning", "error")

OPTIONS: Final = (
    Option("host", "127.0.0.1", _name, "an address or a host name",
           "address to listen on; 0.0.0.0 for every network of this machine", "server"),
    Option("port", 7860, _whole(0, 65535), "a whole number from 0 to 65535",
           "port to listen on; 0 picks a free one", "server"),
    Option("host-name", (), _names, "names, separated by commas",
           "host names under which people reach this server, separated by commas; IP addresses and localhost always "
           "work", "server"),
    Option("proxy", (), _networks, "IP addresses or networks, separated by commas",
           "reverse proxies in front of this server, as IP addresses or networks separated by commas; X-Forwarded "
           "headers count only from them", "server"),
    Option("auth", "", _name, "a file, or user:password pairs separated by commas",
           "require a login: user:password[,user:password], or a file with one user:password per line; users have "
           "their own documents besides the shared ones", "server"),
    Option("role", "", _one_of(*ROLES), "one of " + ", ".join(ROLES),
           "role for --add-user or --set-role: administrator, editor or reader; by default administrator for the first "
           "user and editor for all others", "server"),
    Option("share", False, _switch, "1 or 0",
           "create a public link through Gradio's servers", "server"),
    Option("data-dir", Path("data"), Path, "a folder", "folder for documents and the index", "documents"),
    Option("cache-dir", CACHE_FOLDER, Path, "a folder",
           "folder for unpacked and quantised model weights", "documents"),
    Option("add", (), _folders, f"folders or files, separated by {os.pathsep!r}",
           "PDF file, or folder of PDFs, to add as shared documents; may be repeated", "documents"),
    Option("reader", "auto", _one_of(*READERS), "one of " + ", ".join(READERS),
           "what answers questions: a GLM on this machine (glm), a model on a server (remote), or the quote reader "
           "(quote), which needs no model; auto is remote with --server, glm with --model, otherwise quote", "models"),
    Option("model", "", _name, "a model's name or a folder",
           "GLM to load: a hub id such as zai-org/GLM-4-9B-0414, or a folder; with --server, the name of its model",
           "models"),
    Option("precision", "auto", _one_of(*PRECISIONS), "one of " + ", ".join(PRECISIONS),
           "precision of the GLM's weights: bf16, fp16, fp32, int8 or int4; auto picks the best that fits in memory",
           "models"),
    Option("kv-precision", "full", _one_of(*KV_PRECISIONS), "one of " + ", ".join(KV_PRECISIONS),
           "precision of a GLM's KV cache: full, or int8, which takes half the memory, so that a longer context fits",
           "models"),
    Option("device", "auto", _device, "auto, cpu, cuda, cuda:1 and so on, or mps",
           "device of the GLM: cpu, cuda (the first GPU), cuda:1 and so on, or mps (an Apple GPU, in 16 bits only); "
           "auto is all GPUs but Apple's if there are any, otherwise the CPU", "models"),
    Option("adapter", "", _name, "a folder",
           "folder of an adapter that `python -m model.finetune` trained for --model", "models"),
    Option("server", "", _name, "an address such as http://localhost:8000/v1",
           "address of an OpenAI-compatible server, for --reader remote; its API key is read from ASK_SERVER_KEY",
           "models"),
    Option("context", 0, _whole(2_048, 10_000_000), "a whole number from 2048 to 10000000",
           "maximum tokens of prompt and answer together; by default what the server reports, or here 8192 on a CPU or "
           "an Apple GPU and 32768 on other GPUs, or the model's own maximum if that is lower", "models"),
    Option("prompt-cache-mb", "auto", _auto_or(_whole(0, 10_000_000)), "auto or a whole number from 0 to 10000000",
           "memory for a GLM's prompt cache, in MB: a further question over the same sources is answered sooner; 0 for "
           "none, auto for a quarter of what is free once the model is loaded", "models"),
    Option("max-tokens", Sampling().max_tokens, _whole(16, 1_000_000), "a whole number from 16 to 1000000",
           "longest answer of a model, in tokens, and at most a quarter of its context; people who choose short or "
           "long answers in the settings get a quarter of it or twice as much", "models"),
    Option("re-embed", False, _switch, "1 or 0",
           "embed all documents again, after a change of --embedder", "models"),
    Option("embedder", "auto", _name, "auto, a model's name or a folder",
           "embedding model: a hub id or a folder; auto is BAAI/bge-m3 if it is on disk and there is a GPU, otherwise "
           "multilingual-e5-small; packaged is the multilingual-e5-small that comes with the installation", "models"),
    Option("reranker", "auto", _name, "auto, none, a model's name or a folder",
           "cross-encoder that reranks passages: a hub id, a folder or none; auto is BAAI/bge-reranker-v2-m3 if "
           "there is a GPU and the model is on disk or may be downloaded", "models"),
    Option("allow-download", False, _switch, "1 or 0",
           "download models that are not on this machine from the Hugging Face hub; otherwise nothing is downloaded",
           "models"),
    Option("no-ocr", False, _switch, "1 or 0",
           "do not read scanned pages by OCR; they are read at the next start without this option", "documents"),
    Option("config", "", _file, "the path of a TOML file",
           "TOML file that sets any number in rag/settings.py by section and name; options take precedence", "limits"),
    Option("max-file-mb", Limits.file_bytes // MB, _whole(1, 100_000), "a whole number from 1 to 100000",
           "largest PDF accepted, in MB", "limits"),
    Option("max-pages", Limits.pages, _whole(1, 1_000_000), "a whole number from 1 to 1000000",
           "maximum number of pages per document", "limits"),
    Option("max-question", Limits.question_characters, _whole(10, 1_000_000), "a whole number from 10 to 1000000",
           "longest question, in characters", "limits"),
    Option("answers-at-once", 0, _whole(0, 256), "a whole number from 0 to 256",
           "questions answered at the same time, while others wait; 0 is one per processor (2 to 8), or 16 with a "
           "model", "limits"),
    Option("max-seconds", Limits.read_cpu_seconds, _whole(1, 3_600), "a whole number from 1 to 3600",
           "CPU time for reading one document, in seconds", "limits"),
    Option("max-memory-mb", Limits.read_memory_bytes // 2**20, _whole(64, 1_000_000),
           "a whole number from 64 to 1000000",
           "memory for reading one document, in MiB", "limits"),
    Option("quota-mb", 0, _whole(0, 1_000_000_000), "a whole number from 0 to 1000000000",
           "disk space for the PDFs of one person, in MB; 0 for no limit", "limits"),
    Option("max-waiting", Limits.queued_files, _whole(1, 1_000_000), "a whole number from 1 to 1000000",
           "files that one person may have waiting, failed ones included", "limits"),
    Option("log-level", "info", _one_of(*LEVELS), "one of " + ", ".join(LEVELS),
           "least severe messages to log: debug, info, warning or error", "log"),
    Option("log-format", "text", _one_of("text", "json"), "one of text, json",
           "format of the log: text, or json for one JSON object per line", "log"),
    Option("debug", False, _switch, "1 or 0", "show unexpected errors with their traceback", "log"),
    Option("metrics-port", 0, _whole(0, 65535), "a whole number from 0 to 65535",
           "port that serves metrics to Prometheus; 0 serves none", "log"),
    Option("metrics-host", "127.0.0.1", _name, "an address or a host name", "address for --metrics-port", "log"),
)  # fmt: skip


@dataclass(frozen=True)
class Action(_Flag):
    """Something to do instead of serving the page: `--name`, only on the command line.

    Its attribute in the parsed options is the value given or, for an action without a value, whether it was named.
    """

    takes: str  # placeholder for its value in the help; "" if it takes none
    help: str


ACTIONS: Final = (
    Action(
        "list-models",
        "",
        "list supported GLMs with the memory they need for --context and --kv-precision, mark those that fit this "
        "machine, and exit",
    ),
    Action("mcp", "", "be an MCP server on standard input and output instead of serving the page"),
    Action("add-user", "NAME", "add a user, asking for the password or reading it from standard input, and exit"),
    Action("list-users", "", "list the users with their roles, and exit"),
    Action("set-password", "NAME", "change a user's password, ending their sessions, and exit"),
    Action("set-role", "NAME", "change a user's role to --role, and exit"),
    Action("remove-user", "NAME", "remove a user, ending their sessions, and exit"),
    Action("api-token", "NAME", "make an API token for a user or, without logins, for a program, and exit"),
    Action("list-api-tokens", "", "list the API tokens, and exit"),
    Action("revoke-api-token", "ID", "revoke the API token with this id, or all of a user's, and exit"),
    Action("check", "", "list what in the data folder is damaged or left over, and exit; the program may be running"),
    Action("repair", "", "repair the data folder, list what was lost, and exit"),
    Action("backup", "FILE", "back up the data folder to a new file, and exit; the program may be running"),
    Action("restore", "FILE", "restore a backup into an empty data folder, and exit"),
    Action("overwrite", "", "with --restore: replace the library that the data folder holds"),
)


# Options that set a field of `Settings`, by its dotted name.
_SETTING_OF: Final[dict[str, tuple[str, Callable[[Any], Any]]]] = {
    "data_dir": ("data_dir", Path),
    "no_ocr": ("ocr.enabled", lambda no_ocr: not no_ocr),
    "max_file_mb": ("limits.file_bytes", lambda megabytes: megabytes * MB),
    "max_pages": ("limits.pages", int),
    "max_question": ("limits.question_characters", int),
    "answers_at_once": ("limits.answers_at_once", int),
    "max_seconds": ("limits.read_cpu_seconds", int),
    "quota_mb": ("limits.owner_bytes", lambda megabytes: megabytes * MB),
    "max_waiting": ("limits.queued_files", int),
    "max_memory_mb": ("limits.read_memory_bytes", lambda mebibytes: mebibytes * MIB),
}


def parse(arguments: Sequence[str], environment: Mapping[str, str]) -> argparse.Namespace:
    """Options by key, from the command line, else the environment, else the default; `settings` follow from them.

    A setting that no option sets comes from the file of --config, else it is the default. Raises SettingRefused for a
    value that an option or setting does not accept; argparse exits on --help and unknown options.
    """
    typed = vars(_parser().parse_args(list(arguments)))
    options = argparse.Namespace(**{action.key: typed[action.key] for action in ACTIONS})
    given = {}
    for option in OPTIONS:
        texts: list[str] | None = typed[option.key]
        if texts is not None:
            values = [option.read(text, option.flag) for text in texts]
            given[option.key] = sum(values, ()) if option.default == () else values[-1]
        elif option.variable in environment:
            given[option.key] = option.read(environment[option.variable], f"{option.variable} ({option.flag})")
        setattr(options, option.key, given.get(option.key, option.default))
    options.settings = _settings(given)
    return options


def _settings(given: Mapping[str, Any]) -> Settings:
    """The settings that follow from the options given."""
    settings = read_config(given["config"]) if "config" in given else Settings()
    values = {name: convert(given[key]) for key, (name, convert) in _SETTING_OF.items() if key in given}
    if "max_seconds" in given:
        values["limits.read_wall_seconds"] = max(settings.limits.read_wall_seconds, given["max_seconds"] * 4)
    return override(settings, values)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python app.py",
        description="Answers questions about your own PDFs on this machine, with the page behind every sentence.",
        epilog="Options with a name in brackets can also be set by that environment variable.",
        allow_abbrev=False,
    )
    groups: dict[str, Any] = {}
    for option in OPTIONS:
        if option.group not in groups:
            groups[option.group] = parser.add_argument_group(option.group)
        default = f"; default: {option.shown_default}" if option.shown_default else ""
        text = f"{option.help}{default} [{option.variable}]".replace("%", "%%")
        if option.convert is _switch:
            groups[option.group].add_argument(option.flag, dest=option.key, action="append_const", const="1", help=text)
        else:
            groups[option.group].add_argument(option.flag, dest=option.key, action="append", metavar="VALUE", help=text)
    instead = parser.add_argument_group("instead of serving the page")
    for action in ACTIONS:
        if action.takes:
            instead.add_argument(action.flag, dest=action.key, default="", metavar=action.takes, help=action.help)
        else:
            instead.add_argument(action.flag, dest=action.key, action="store_true", help=action.help)
    return parser


def logins_of(text: str) -> dict[str, str]:
    """Passwords by user, from `--auth`. Raises SettingRefused, with a message that never repeats a password."""
    if not text:
        return {}
    try:
        from_file = len(os.fsencode(text)) < MAX_PATH_BYTES and Path(text).is_file()
        pairs = Path(text).read_text(encoding="utf-8").splitlines() if from_file else text.split(",")
    except (OSError, UnicodeDecodeError) as error:
        raise SettingRefused(
            "The file that --auth names cannot be read ({reason}): check its path and permissions.",
            reason=type(error).__name__,
        ) from error
    logins: dict[str, str] = {}
    for pair in pairs:
        if not pair.strip() or (from_file and pair.lstrip().startswith("#")):
            continue
        user, colon, password = pair.strip().partition(":")
        if not (user.strip() and colon and password):
            raise SettingRefused(
                "--auth takes user:password[,user:password], or a file with one user:password per line."
            )
        logins[user.strip()] = password
    if not logins:
        raise SettingRefused(
            "--auth names no user: write user:password[,user:password], or a file with one user:password per line."
        )
    return logins


def add_embedder_options(parser: argparse.ArgumentParser) -> None:
    """Add to another command line the options that choose the embedder."""
    parser.add_argument("--embedder", default="auto", help="as for app.py; default: auto")
    parser.add_argument(
        "--cache-dir",
        type=Path,
        default=CACHE_FOLDER,
        help="folder for embeddings and unpacked weights; default: ~/.cache/ask-your-pdfs",
    )
