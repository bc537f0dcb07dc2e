"""Ask your PDFs: reads the command line and the environment, opens the engine and serves the page.

The only module that reads the environment, and the only one that knows all three packages. Heavy modules are imported
where they are needed, so that `--help` and wrong options are answered at once.
"""

from __future__ import annotations

import argparse
import logging
import os
import sys
import threading
from collections.abc import Mapping, Sequence
from contextlib import suppress
from ipaddress import ip_network
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rag.errors import AskError, SettingRefused
from rag.logs import set_up
from rag.messages import AS_REQUESTED, Message
from rag.options import parse
from rag.processors import quiet_waiting
from rag.reader import Sampling
from rag.settings import MB

if TYPE_CHECKING:
    from model.background import BackgroundLoader
    from model.download import Downloader
    from model.picking import ModelPicker
    from model.servers import ConnectionFile
    from rag.reader import Reader
    from webui.accounts.accounts import Accounts
    from webui.engine import Engine

logger = logging.getLogger("ask")

PRIVATE = {"HF_HUB_DISABLE_TELEMETRY": "1", "DO_NOT_TRACK": "1"}  # turn off libraries' telemetry
# Between threads that compute in Python. An embedder takes the interpreter's lock a hundred times per batch. Next to
# two such threads it needs four times as long with the usual 5 ms, and twice as long with this.
SWITCH_SECONDS = 0.0005
LOOPBACK = ("127.0.0.1", "::1", "localhost")  # addresses that only this machine can reach


def prepare_environment(options: argparse.Namespace, environment: Any) -> None:
    """Turn off telemetry, and downloads unless they are allowed. Must be called before heavy imports."""
    environment["GRADIO_ANALYTICS_ENABLED"] = "False"
    environment["GRADIO_ANALYTICS_CACHE_FREQUENCY"] = str(
        10**9
    )  # events between two of Gradio's statistics, which need pandas
    environment |= PRIVATE
    environment["FORWARDED_ALLOW_IPS"] = ""  # the guard decides which proxies to believe, not uvicorn
    environment.setdefault("TOKENIZERS_PARALLELISM", "false")
    quiet_waiting(environment)
    if not options.allow_download:
        environment["HF_HUB_OFFLINE"] = "1"
        environment["TRANSFORMERS_OFFLINE"] = "1"


def open_engine_for(options: argparse.Namespace, environment: Mapping[str, str]) -> Engine:
    """The engine, with the reader, embedder and reranker that the options choose."""
    from rag.embed.embedder import open_embedder
    from rag.engine import Engine as Opened
    from rag.opening import Parts
    from rag.retrieve.rerank import open_reranker

    if options.device != "auto":
        from model.device import pick_device

        pick_device(options.device)  # raises SettingRefused before anything is opened
    reader, why = reader_for(options, environment)
    return Opened(
        options.settings,
        sampling=Sampling(max_tokens=options.max_tokens),
        embedder=lambda: open_embedder(options.embedder, cache=options.cache_dir, download=options.allow_download),
        reader=reader,
        reader_why=why,
        re_embed=options.re_embed,
        parts=Parts(reranker=lambda: open_reranker(options.reranker, download=options.allow_download)),
    )


def chosen_reader(options: argparse.Namespace) -> str:
    """quote, glm or remote; "auto" depends on the other options."""
    if options.reader != "auto":
        return str(options.reader)
    return "remote" if options.server else "glm" if options.model else "quote"


def reader_for(options: argparse.Namespace, environment: Mapping[str, str]) -> tuple[Reader, Message]:
    """The reader to start with, and why. Raises SettingRefused if an option that it needs is missing."""
    from rag.answer.quote import QuoteReader

    wanted, quote = chosen_reader(options), QuoteReader()
    if wanted == "remote":
        if not (options.server and options.model):
            raise SettingRefused("--reader remote needs --server (an address) and --model (the name it serves).")
        from model.remote import RemoteReader

        key, context = environment.get("ASK_SERVER_KEY", ""), options.context or None
        remote = RemoteReader(options.server, options.model, key=key, context_tokens=context)
        return remote, Message("a server was named; questions and their sources are sent there")
    if wanted == "glm" and not options.model:
        raise SettingRefused("--reader glm needs --model: a hub id such as zai-org/GLM-4-9B-0414, or a folder.")
    if wanted == "glm":
        return quote, Message("answers until {model} is loaded", {"model": options.model})
    if options.reader == "auto" and serves_this_machine_alone(options):
        from model.picking import CONNECTED

        if connection := connections_of(options).load():
            return connection.reader(), CONNECTED
    if options.reader == "quote":
        return quote, AS_REQUESTED
    return quote, Message("no model was chosen; exact quotes need none and start at once")


def reader_in_use(engine: Engine) -> str:
    """The name of the reader in use."""
    return next((choice.name for choice in engine.choices() if choice.what == "reader"), "")


def loading_for(engine: Engine, options: argparse.Namespace) -> BackgroundLoader:
    """Loads GLMs for this engine. The current reader continues until one is ready, or if that fails."""
    from model.background import BackgroundLoader, LoadCallbacks
    from model.families import KvPrecision
    from model.load_settings import LoadSettings
    from rag.answer.quote import QuoteReader
    from rag.records import Choice

    quote = QuoteReader()

    callbacks = LoadCallbacks(
        release=lambda: engine.use_reader(quote, Message("it was chosen; it needs no model")),
        on_progress=lambda progress: engine.choose(
            Choice(
                "reader",
                reader_in_use(engine),
                Message("answers until the GLM is ready; {progress}", {"progress": progress}),
                False,
            )
        ),
        on_ready=engine.use_reader,
        on_failure=lambda reason: engine.choose(
            Choice("reader", reader_in_use(engine), Message("answers instead"), failed=reason)
        ),
    )

    def wait_for_engine() -> None:
        # Two threads must not import transformers at once: the second may see a half-initialised module. Also, the free
        # memory is only known once the embedder is loaded.
        with suppress(AskError):  # the engine has reported it
            engine.wait()

    settings = LoadSettings(
        device=options.device,
        context=options.context or None,
        kv=KvPrecision(options.kv_precision),
        prompt_cache=None if options.prompt_cache_mb == "auto" else options.prompt_cache_mb * MB,
        keep_in=options.cache_dir / "quantised",
    )
    return BackgroundLoader(callbacks, download=options.allow_download, settings=settings, wait=wait_for_engine)


def picking_for(
    engine: Engine,
    loading: BackgroundLoader,
    options: argparse.Namespace,
    environment: Mapping[str, str],
    accounts: Accounts,
) -> ModelPicker | None:
    """The models that administrators can choose; None with a server or on a Space, where the options decide."""
    from model.picking import ModelPicker

    if not accounts.has_administrator or options.server or environment.get("SPACE_ID"):
        return None
    alone = serves_this_machine_alone(options)
    return ModelPicker(
        loading,
        downloader_for(engine, environment),
        connections_of(options),
        download=options.allow_download or (alone and not is_offline(environment)),
        alone=alone,
        started_with=options.model,
        started_adapter=adapter_of(options),
        adapters=options.cache_dir / "adapters",
    )


def adapter_of(options: argparse.Namespace) -> Path | None:
    """The folder of --adapter."""
    return Path(options.adapter) if options.adapter else None


def serves_this_machine_alone(options: argparse.Namespace) -> bool:
    """Whether only this machine can reach the page, so that its user is whoever runs the program."""
    from webui.accounts.users import Users

    reached = options.share or options.host_name or options.auth
    return options.host in LOOPBACK and not (reached or Users(options.settings.data_dir).all())


def is_offline(environment: Mapping[str, str]) -> bool:
    """Whether the environment forbids downloads from the hub, read as the hub's client does."""
    return environment.get("HF_HUB_OFFLINE", "").upper() in ("1", "ON", "YES", "TRUE")


def connections_of(options: argparse.Namespace) -> ConnectionFile:
    """Where the model server entered on the page is stored."""
    from model.servers import ConnectionFile

    return ConnectionFile(options.settings.data_dir / "server.json")


def downloader_for(engine: Engine, environment: Mapping[str, str]) -> Downloader:
    """Downloads models chosen on the page, and shows the progress in the reader's status."""
    from model.download import Downloader
    from rag.records import Choice

    def report() -> None:
        state, reader = downloader.state, reader_in_use(engine)
        if state is None:
            engine.choose(Choice("reader", reader, Message("answers")))
        elif state.failed is not None:
            engine.choose(Choice("reader", reader, Message("answers instead"), failed=state.failed))
        else:
            why = Message("answers until the GLM is ready; {progress}", {"progress": state.progress})
            engine.choose(Choice("reader", reader, why, state.paused))

    downloader = Downloader({**environment, **PRIVATE}, report)
    return downloader


def add_files(engine: Engine, paths: Sequence[Path], stop: threading.Event) -> None:
    """Add PDFs and folders of PDFs as shared documents. Refused files are logged and skipped."""
    for path in paths:
        if not path.exists():
            logger.error("--add: %s does not exist.", path)
            continue
        files = sorted(path.rglob("*")) if path.is_dir() else [path]
        for file in files:
            if stop.is_set():
                return
            if not file.is_file() or (path.is_dir() and file.suffix.lower() != ".pdf"):
                continue
            try:
                engine.add("", file.name, file)
            except AskError as error:
                logger.warning("%r", str(error))


def run(options: argparse.Namespace, environment: Mapping[str, str]) -> None:
    """Open the engine, serve the page and wait for a signal to stop."""
    from webui.commands import accounts_of

    accounts = accounts_of(options, environment)
    engine = open_engine_for(options, environment)
    stop = threading.Event()
    adding = threading.Thread(target=add_files, args=(engine, options.add, stop), daemon=True)
    try:
        from webui.accounts.erasing import erasing
        from webui.server.metrics import metrics_served
        from webui.server.serve import Serving, cannot_serve, serve
        from webui.server.traffic import StopSignals, drain, leave_at_once

        host = host_of(options, environment)
        serving = Serving(host, options.port, options.share, accounts, access_of(options, environment))
        loading = loading_for(engine, options)
        picking = picking_for(engine, loading, options, environment, accounts)
        try:
            page, url = serve(engine, serving, models=picking, raise_errors=options.debug)
        except OSError as error:
            raise cannot_serve(host, options.port, error) from error
        logger.info("Open %s", url)
        report(engine)
        if chosen_reader(options) == "glm":
            loading.start(options.model, options.precision, adapter=adapter_of(options))
        adding.start()
        metrics = metrics_served(engine, serving.traffic, options.metrics_host, options.metrics_port)
        with metrics, erasing(accounts, engine):
            StopSignals().wait()
            finished = drain(serving.traffic)
        page.close(verbose=False)
    finally:
        stop.set()
        if adding.is_alive():
            adding.join()
        engine.close()
    if not finished:
        leave_at_once()  # otherwise threads whose answers do not end would be waited for


def run_mcp(options: argparse.Namespace, environment: Mapping[str, str]) -> None:
    """Open the engine and serve MCP on standard input and output until the input ends."""
    from webui.server.api.tools import serve_stdio

    engine = open_engine_for(options, environment)
    stop = threading.Event()
    adding = threading.Thread(target=add_files, args=(engine, options.add, stop), daemon=True)
    try:
        report(engine)
        if chosen_reader(options) == "glm":
            loading_for(engine, options).start(options.model, options.precision, adapter=adapter_of(options))
        adding.start()
        with suppress(KeyboardInterrupt):
            serve_stdio(engine)
    finally:
        stop.set()
        if adding.is_alive():
            adding.join()
        engine.close()


def host_of(options: argparse.Namespace, environment: Mapping[str, str]) -> str:
    """The address to listen on, as Gradio takes it: IPv6 in brackets; on a Space, all networks."""
    if environment.get("SPACE_ID") and options.host == "127.0.0.1":
        return "0.0.0.0"
    host = str(options.host)
    return f"[{host}]" if ":" in host and not host.startswith("[") else host


def access_of(options: argparse.Namespace, environment: Mapping[str, str]) -> Any:
    """The host names that the page answers to. On a Space, Hugging Face's proxy decides."""
    from webui.server.guard import Access
    from webui.server.proxies import Proxies

    if environment.get("SPACE_ID"):
        frames = "'self' https://huggingface.co https://*.hf.space"
        return Access(any_name=True, frames=frames, proxies=Proxies(everybody=True))
    # The tunnel of a public link ends in a program on this machine.
    tunnel = tuple(ip_network(address) for address in ("127.0.0.1", "::1")) if options.share else ()
    return Access(names=set(options.host_name), proxies=Proxies(options.proxy + tunnel))


def report(engine: Engine) -> None:
    """Log what was chosen, and why."""
    for choice in engine.choices():
        if choice.failed:
            logger.warning("%s: %s: %s", choice.what, choice.name, choice.failed)
        else:
            logger.info("%s: %s (%s)%s", choice.what, choice.name, choice.why, "" if choice.ready else ", loading")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the program; returns its exit status."""
    try:
        options = parse(sys.argv[1:] if arguments is None else arguments, os.environ)
        set_up(options.log_level, options.log_format)
        if options.list_models:
            from model.families import KvPrecision
            from model.listing import list_models

            kv = KvPrecision(options.kv_precision)
            sys.stdout.write(list_models(options.device, context=options.context or None, kv=kv) + "\n")
            return 0
        from rag.upkeep.commands import care_for

        if done := care_for(options):
            sys.stdout.write(done[0] + "\n")
            return done[1]
        from webui.commands import run_command

        if run_command(options):
            return 0
        environment = dict(os.environ)  # before downloads are turned off; a child process may still need them
        prepare_environment(options, os.environ)
        sys.setswitchinterval(SWITCH_SECONDS)
        (run_mcp if options.mcp else run)(options, environment)
    except AskError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
