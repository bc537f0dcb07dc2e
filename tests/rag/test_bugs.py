"""A bug in a worker's step becomes the error that says so; what is no bug passes."""

import logging

import pytest

from rag.bugs import bugs_become
from rag.errors import AskError, FileRefused, Stopped

BUG = AskError("This failed because of an error in the program; see the log.")


def test_a_bug_becomes_the_error_and_its_traceback_is_logged(caplog):
    with caplog.at_level(logging.ERROR), pytest.raises(AskError) as raised, bugs_become(BUG):
        raise KeyError("nobody expected this")
    assert raised.value is BUG
    assert isinstance(BUG.__cause__, KeyError)
    assert "nobody expected this" in caplog.text


@pytest.mark.parametrize("error", [FileRefused("It is empty."), Stopped(), TimeoutError()])
def test_errors_for_a_person_stopped_work_and_named_exceptions_pass(error, caplog):
    with pytest.raises(type(error)) as raised, bugs_become(BUG, TimeoutError):
        raise error
    assert raised.value is error
    assert not caplog.records
