"""The README and the docs tell the truth: every option, every folder, the very command that CI runs."""

from __future__ import annotations

import ast
import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text("utf-8")
OPTIONS_PAGE = (ROOT / "docs" / "options.md").read_text("utf-8")
ARCHITECTURE = (ROOT / "docs" / "architecture.md").read_text("utf-8")


def tracked() -> list[str]:
    done = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip("not a git checkout: nothing to compare the README with")
    return [name for name in done.stdout.splitlines() if (ROOT / name).exists()]


def python_files() -> list[Path]:
    return [Path(name) for name in tracked() if name.endswith(".py") and not name.startswith("tests/")]


def test_every_folder_has_its_row_and_the_files_to_read_first_are_in_it():
    table = ARCHITECTURE.split("| folder | what is in it | read first |\n|---|---|---|\n")[1].split("\n\n")[0]
    rows = [row.split("|") for row in table.splitlines()]
    folders = {folder.strip(" `"): re.findall("`([^`]+)`", files) for _, folder, _, files, _ in rows}
    assert set(folders) == {str(path.parent) for path in python_files()}
    assert [
        f"{folder}/{file}" for folder, files in folders.items() for file in files if not (ROOT / folder / file).exists()
    ] == []


@pytest.mark.parametrize("page", sorted((ROOT / "docs").glob("*.md")), ids=lambda page: page.name)
def test_the_files_that_the_docs_name_exist(page):
    paths = tracked()
    named = re.findall(r"`([a-z][a-z0-9_/]*\.py)`", page.read_text("utf-8"))
    assert [name for name in named if not any(f"/{path}".endswith(f"/{name}") for path in paths)] == []


def test_the_first_line_of_every_module_is_a_sentence_that_lists_of_files_can_show():
    firsts = {
        path: (ast.get_docstring(ast.parse((ROOT / path).read_text("utf-8"))) or "").split("\n")[0]
        for path in python_files()
    }
    assert [str(path) for path, first in firsts.items() if not first.endswith(".")] == []


def test_the_table_of_options_says_what_help_says():
    from rag.options import ACTIONS, OPTIONS

    lines = OPTIONS_PAGE.splitlines()
    start = lines.index("| option | default | what it does |") + 2
    rows = list(lines[start : lines.index("", start)])
    # tests move the home folder, in which the default of --cache-dir lies
    defaults = {o.flag: "~/.cache/ask-your-pdfs" if o.name == "cache-dir" else o.shown_default for o in OPTIONS}
    expected = [(o.flag, defaults[o.flag], o.help) for o in OPTIONS] + [(a.flag, "", a.help) for a in ACTIONS]
    assert [[cell.strip() for cell in row.strip("|").split("|")] for row in rows] == [
        [f"`{flag}`", default, text[:1].upper() + text[1:]] for flag, default, text in expected
    ]


def test_the_example_of_a_settings_file_sets_what_it_says(tmp_path):
    from rag.config import read_config

    file = tmp_path / "config.toml"
    file.write_text(OPTIONS_PAGE.split("```toml\n")[1].split("```")[0], "utf-8")
    retrieval = read_config(file).retrieval
    assert (retrieval.sources, retrieval.routing.routed_documents) == (12, 5)


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
