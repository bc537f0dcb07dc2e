"""The container files: what can be checked of them without building an image."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest
import yaml

from rag.options import OPTIONS, parse
from rag.settings import Settings

ROOT = Path(__file__).parent.parent
DOCKERFILE = (ROOT / "Dockerfile").read_text("utf-8")
COMPOSE = yaml.safe_load((ROOT / "compose.yaml").read_text("utf-8"))
LOCK = (ROOT / "requirements.lock").read_text("utf-8")


def instructions():
    """The instructions of the Dockerfile, continued lines joined, as (name, rest)."""
    lines = [line for line in DOCKERFILE.splitlines() if not line.startswith("#")]
    joined = re.sub(r"\\\n", " ", "\n".join(lines))
    return [tuple(line.split(None, 1)) for line in joined.splitlines() if line.strip()]


def last_stage():
    found = instructions()
    start = max(index for index, (name, _) in enumerate(found) if name == "FROM")
    return dict(found[start + 1 :]), [rest for name, rest in found[start:] if name == "COPY"]


def environment():
    return dict(pair.split("=", 1) for pair in last_stage()[0]["ENV"].split())


def test_every_image_has_a_fixed_version():
    (python,) = [rest for name, rest in instructions() if name == "ARG" and rest.startswith("PYTHON=")]
    assert re.fullmatch(r"PYTHON=3\.11\.\d+-slim-\w+", python)
    assert [rest for name, rest in instructions() if name == "FROM"] == [
        "python:${PYTHON} AS build",
        "python:${PYTHON}",
    ]
    for service in COMPOSE["services"].values():
        assert re.search(r":v?\d+\.\d+\.\d+$", service["image"])


def test_the_program_runs_as_an_ordinary_user_who_owns_nothing_but_the_volume():
    stage, copies = last_stage()
    user, group = stage["USER"].split(":")
    assert int(user) >= 1_000
    assert int(group) >= 1_000
    assert not any("--chown" in copied for copied in copies)
    assert f"useradd --uid {user}" in stage["RUN"]


def test_the_volume_is_where_the_program_keeps_documents_models_and_weights():
    stage, _ = last_stage()
    volume = Path(stage["VOLUME"])
    assert Path(stage["WORKDIR"]) / Settings().data_dir == volume
    assert Path(environment()["HOME"]) == volume  # of --cache-dir and of the hub's cache
    assert COMPOSE["services"]["ask"]["volumes"] == [f"data:{volume}"]


def test_the_environment_sets_options_that_exist():
    known = {option.variable for option in OPTIONS} | {"ASK_SERVER_KEY"}
    set_there = {*environment(), *COMPOSE["services"]["ask"]["environment"]}
    assert {name for name in set_there if name.startswith("ASK_")} <= known
    parse(COMPOSE["services"]["ask"]["command"], {})


def test_the_root_is_read_only_and_privileges_are_dropped():
    service = COMPOSE["services"]["ask"]
    assert service["read_only"] is True
    assert service["tmpfs"] == ["/tmp"]
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert all(port.startswith("127.0.0.1:") for port in service["ports"])
    assert "ports" not in COMPOSE["services"]["model"]


def test_answers_in_flight_get_their_time_before_the_container_is_killed():
    from webui.server.traffic import DRAIN_SECONDS

    assert int(COMPOSE["services"]["ask"]["stop_grace_period"].rstrip("s")) > DRAIN_SECONDS
    assert last_stage()[0]["STOPSIGNAL"] == "SIGTERM"
    assert last_stage()[0]["ENTRYPOINT"].startswith("[")  # no shell that keeps the signal to itself


def test_the_health_check_asks_the_port_that_is_exposed():
    stage, _ = last_stage()
    (default,) = [option.default for option in OPTIONS if option.name == "port"]
    assert int(stage["EXPOSE"]) == default
    assert f'os.environ.get(\\"ASK_PORT\\", {default})}}/health' in stage["HEALTHCHECK"]


def test_only_the_program_is_copied_into_the_image():
    lines = (ROOT / ".dockerignore").read_text("utf-8").splitlines()
    assert lines[0] == "*"
    assert [line for line in lines if line.startswith("!")] == [
        "!app.py",
        "!rag",
        "!webui",
        "!model",
        "!requirements.lock",
    ]


def names(requirement_lines):
    return {re.split(r"[\[=<>; ]", line)[0].lower(): line for line in requirement_lines}


def test_the_lock_has_every_requirement_in_its_version_and_every_file_by_its_hash():
    wanted = [line for line in (ROOT / "requirements.txt").read_text("utf-8").splitlines() if not line.startswith("#")]
    entries = re.findall(
        r"^([\w.-]+)==([^ \n]+) \\\n((?:    --hash=sha256:[0-9a-f]{64}(?: \\)?\n)+)", LOCK, re.MULTILINE
    )
    locked = {name: version for name, version, _ in entries}
    assert len(entries) == len(re.findall(r"^\w", LOCK, re.MULTILINE))
    for name, line in names(wanted).items():
        assert f"=={locked[name]}" in line.split(";")[0]


def test_the_lock_names_no_registry():
    assert "://" not in LOCK
    assert "index-url" not in LOCK


def test_without_torch_for_cuda_its_libraries_are_left_out_and_nothing_else():
    (program,) = re.findall(r"awk '([^']+)'", DOCKERFILE)
    try:
        done = subprocess.run(["awk", program], input=LOCK, capture_output=True, text=True, check=True)
    except FileNotFoundError:
        pytest.skip("there is no awk here")
    before, after = (set(re.findall(r"^([\w.-]+)==", text, re.MULTILINE)) for text in (LOCK, done.stdout))
    assert {"torch", "triton", "nvidia-cublas", "cuda-toolkit"} <= before - after
    assert all(re.fullmatch(r"torch|triton|(nvidia|cuda)-.+", name) for name in before - after)
    hashes = {name: LOCK.split(f"\n{name}==")[1].split("\n")[1] for name in after - {"annotated-doc"}}
    assert all(one in done.stdout for one in hashes.values())
    assert LOCK.split("\ntorch==")[1].split("\n")[1] not in done.stdout
