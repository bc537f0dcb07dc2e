"""One table for the command line and the environment."""

from pathlib import Path

import pytest

from rag.errors import SettingRefused
from rag.options import OPTIONS, logins_of, parse
from rag.settings import Limits, Settings


def test_nothing_is_public_or_fetched_by_default():
    options = parse([], {})
    assert (options.host, options.port, options.share, options.allow_download) == ("127.0.0.1", 7860, False, False)
    assert options.settings == Settings(data_dir=Path("data"))
    assert options.settings.limits == Limits()


TYPED = [
    ("port", "8123", 8123),
    ("share", "1", True),
    ("data-dir", "/tmp/x", Path("/tmp/x")),
    ("add", "/a", (Path("/a"),)),
    ("reader", "quote", "quote"),
    ("host-name", "Ask.example.org, b", ("ask.example.org", "b")),
    ("max-file-mb", "5", 5),
    ("log-level", "debug", "debug"),
    ("device", "cuda:1", "cuda:1"),
    ("max-tokens", "300", 300),
]


@pytest.mark.parametrize(("name", "text", "value"), TYPED)
def test_the_command_line_goes_before_the_environment(name, text, value):
    option = next(option for option in OPTIONS if option.name == name)
    assert getattr(parse([], {option.variable: text}), option.key) == value
    given = [option.flag] if value is True else [option.flag, text]
    other = {"1": "0", "quote": "auto", "debug": "info", "cuda:1": "mps"}.get(text, "99")
    assert getattr(parse(given, {option.variable: other}), option.key) == value


@pytest.mark.parametrize(
    ("name", "text"),
    [("port", "http"), ("port", "65536"), ("port", "-1"), ("reader", "gpt"), ("precision", "int3"),
     ("device", "cuda:"), ("device", "cuda:-1"), ("device", "gpu"), ("max-tokens", "0"),
     ("log-level", "loud"), ("max-file-mb", "0"), ("max-pages", "many"), ("host", " ")],
)  # fmt: skip
def test_a_wrong_value_names_the_option_and_what_it_takes(name, text):
    option = next(option for option in OPTIONS if option.name == name)
    with pytest.raises(SettingRefused) as refused:
        parse([option.flag, text], {})
    assert str(refused.value).startswith(f"{option.flag} takes {option.values}")
    with pytest.raises(SettingRefused, match=f"{option.variable} .{option.flag}. takes"):
        parse([], {option.variable: text})


def test_a_wrong_switch_in_the_environment_is_refused():
    with pytest.raises(SettingRefused, match=r"ASK_SHARE .--share. takes 1 or 0, not 'maybe'"):
        parse([], {"ASK_SHARE": "maybe"})


def test_options_have_one_name_each():
    assert len({option.key for option in OPTIONS}) == len(OPTIONS)
    assert all(option.variable.startswith("ASK_") for option in OPTIONS)


def test_folders_can_be_given_again():
    assert parse(["--add", "a", "--add", "b"], {}).add == (Path("a"), Path("b"))


def test_logins_from_the_line_and_from_a_file(tmp_path):
    assert logins_of("") == {}
    assert logins_of("ann:a:b,bob:c") == {"ann": "a:b", "bob": "c"}
    file = tmp_path / "logins"
    file.write_text("# who\nann:a,b\n\nbob: c\n", encoding="utf-8")
    assert logins_of(str(file)) == {"ann": "a,b", "bob": " c"}


@pytest.mark.parametrize("text", ["ann", "ann:", ":secret", "ann:a,secret", ","])
def test_wrong_logins_are_refused_without_repeating_a_password(text):
    with pytest.raises(SettingRefused, match="--auth") as refused:
        logins_of(text)
    assert "secret" not in str(refused.value)
