"""The README and the docs tell the truth: every option, every file, the very command that CI runs."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text("utf-8")
ARCHITECTURE = (ROOT / "docs" / "architecture.md").read_text("utf-8")


def tracked() -> list[str]:
    done = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip("not a git checkout: nothing to compare the README with")
    return [name for name in done.stdout.splitlines() if (ROOT / name).exists()]


def test_every_python_file_has_its_line():
    listed = [line.split("`")[1] for line in ARCHITECTURE.splitlines() if line.startswith("| `")]
    files = {name for name in tracked() if name.endswith(".py") and not name.startswith("tests/")}
    files -= {name for name in files if name.endswith("__init__.py")}
    assert sorted(name for name in listed if name.endswith(".py")) == sorted(files)


def test_every_option_has_its_line_with_its_default():
    from rag.options import OPTIONS

    for option in OPTIONS:
        (line,) = [line for line in README.splitlines() if line.startswith(f"| `{option.flag}`")]
        default = option.default
        shown = "" if default in ("", (), False) else str(default).replace(str(Path.home()), "~")
        if option.name != "cache-dir":  # its default is below the home folder, which tests move
            assert f"| {shown} |".replace("|  |", "| |") in line, option.flag


def test_ci_runs_the_readmes_own_test_command():
    (command,) = [line for line in README.splitlines() if line.startswith("pip install -r tests/requirements.txt")]
    assert command in (ROOT / ".ci" / "run").read_text("utf-8").splitlines()


def test_the_front_matter_makes_it_a_space():
    _, front, _ = README.split("---\n", 2)
    fields = dict(line.split(": ", 1) for line in front.splitlines())
    assert fields["sdk"] == "gradio"
    assert fields["app_file"] == "app.py"
    pins = (ROOT / "requirements.txt").read_text("utf-8")
    assert f"gradio=={fields['sdk_version']}\n" in pins
