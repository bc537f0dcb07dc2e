"""A file of settings: every field can be set, and errors name the setting and what to do."""

from __future__ import annotations

from pathlib import Path

import pytest

from rag.config import RANGES, override, read_config
from rag.errors import SettingRefused
from rag.options import parse
from rag.settings import Settings, flatten

DEFAULTS = flatten(Settings())


def written(tmp_path: Path, text: str) -> Path:
    file = tmp_path / "my.toml"
    file.write_text(text, "utf-8")
    return file


def other(name: str) -> object:
    """A value of the right type, in range, that is not the default."""
    value = DEFAULTS[name]
    if isinstance(value, bool):
        return not value
    if isinstance(value, Path):
        return Path("elsewhere")
    low, high = RANGES.get(name, (0, 1) if isinstance(value, float) else (1, 10**9))
    return type(value)(low if value != low else high)


@pytest.mark.parametrize("name", DEFAULTS)
def test_every_setting_can_be_set_by_section_and_name(tmp_path, name):
    value = other(name)
    text = f"'{value}'" if isinstance(value, Path) else str(value).lower()
    section, _, key = name.rpartition(".")
    file = written(tmp_path, f"[{section}]\n{key} = {text}" if section else f"{key} = {text}")
    assert flatten(read_config(file)) == {**DEFAULTS, name: value}
    assert type(flatten(read_config(file))[name]) is type(value) or isinstance(value, Path)


def test_every_default_is_in_range_and_every_range_has_its_setting():
    for name, value in DEFAULTS.items():
        if not isinstance(value, bool | Path):
            low, high = RANGES.get(name, (0, 1) if isinstance(value, float) else (1, 10**12))
            assert low <= value <= high, name
    assert RANGES.keys() <= DEFAULTS.keys()


def test_an_empty_file_changes_nothing_and_a_whole_number_is_a_fraction_too(tmp_path):
    assert read_config(written(tmp_path, "[retrieval]\n[retrieval.bm25]\n")) == Settings()
    assert read_config(written(tmp_path, "retrieval.vector_weight = 1")).retrieval.vector_weight == 1.0


@pytest.mark.parametrize(
    ("text", "words"),
    [
        pytest.param("[retrieval]\nsource = 3", r"no setting retrieval\.source: write retrieval\.sources", id="typo"),
        pytest.param("[limits]\nsources = 3", r"no setting limits\.sources: write retrieval\.sources", id="section"),
        pytest.param("[nowhere]\nzzzzzz = 3", r"no setting nowhere\.zzzzzz: remove the line", id="unknown"),
        pytest.param("retrieval = 3", r"retrieval is a section: write \[retrieval\]", id="section as a value"),
        pytest.param(
            "[retrieval.sources]\na = 1", r"retrieval\.sources takes a whole number from 1 to 1,000, not", id="table"
        ),
        pytest.param(
            "[retrieval]\nsources = 0",
            r"retrieval\.sources takes a whole number from 1 to 1,000, not 0: corr",
            id="low",
        ),
        pytest.param("[retrieval]\nsources = 3.5", r"takes a whole number .* not 3\.5", id="fraction"),
        pytest.param("[retrieval]\nsources = true", r"takes a whole number .* not True", id="a switch is no number"),
        pytest.param('[retrieval]\nsources = "3"', r"takes a whole number .* not '3'", id="text"),
        pytest.param("[retrieval]\nvector_weight = 1.5", r"takes a number from 0 to 1, not 1\.5", id="high"),
        pytest.param("[retrieval]\nvector_weight = nan", r"takes a number from 0 to 1, not nan", id="not a number"),
        pytest.param("[retrieval]\nmerge_pages = 1", r"takes true or false, not 1", id="no switch"),
        pytest.param("data_dir = 3", r"takes the path of a folder in quotes, not 3", id="no path"),
        pytest.param("[retrieval]\nsources = [" + "9," * 999 + "]", r"not \[9, .{70,80}: correct it", id="long value"),
        pytest.param(
            "a = [", r"is not valid TOML \(.*end of document.*: correct it, or start without --config", id="no toml"
        ),
    ],
)
def test_what_is_wrong_is_named_with_the_file_and_the_way_out(tmp_path, text, words):
    file = written(tmp_path, text)
    with pytest.raises(SettingRefused, match=words) as refused:
        read_config(file)
    assert str(refused.value).startswith(str(file))


def test_a_file_that_cannot_be_read_names_the_option(tmp_path):
    with pytest.raises(
        SettingRefused, match=r"missing\.toml cannot be read \(No such file or directory\): check --config"
    ):
        read_config(tmp_path / "missing.toml")
    (tmp_path / "latin.toml").write_bytes(b"# \xe9\n")
    with pytest.raises(SettingRefused, match=r"latin\.toml is not valid TOML"):
        read_config(tmp_path / "latin.toml")


def test_the_command_line_goes_before_the_environment_before_the_file_before_the_defaults(tmp_path):
    text = "data_dir = 'from-file'\n[limits]\npages = 10\nquestion_characters = 20\nread_cpu_seconds = 5"
    file = written(tmp_path, text)
    options = parse(["--config", str(file), "--max-pages", "30"], {"ASK_MAX_PAGES": "40", "ASK_MAX_QUESTION": "50"})
    limits = options.settings.limits
    assert (limits.pages, limits.question_characters, limits.read_cpu_seconds) == (30, 50, 5)
    assert limits.file_bytes == Settings().limits.file_bytes
    assert options.settings.data_dir == Path("from-file")
    assert parse([], {"ASK_CONFIG": str(file)}).settings.limits.pages == 10


def test_more_seconds_to_read_bring_more_time_to_wait(tmp_path):
    assert parse(["--max-seconds", "60"], {}).settings.limits.read_wall_seconds == 240
    assert parse(["--max-seconds", "5"], {}).settings.limits.read_wall_seconds == 90


def test_override_replaces_fields_at_any_depth():
    changed = override(Settings(), {"parallel_reads": 1, "retrieval.sources": 2, "retrieval.bm25.k1": 0.9})
    assert flatten(changed) == {**DEFAULTS, "parallel_reads": 1, "retrieval.sources": 2, "retrieval.bm25.k1": 0.9}
