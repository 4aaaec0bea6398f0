"""What reaches a person is one sentence; what is not a person's to mend keeps its trace."""

import pytest

from empirical.errors import InputError, first_line, one_sentence


def test_only_the_first_line_is_kept():
    assert first_line(ValueError("too few rows\nat line 3")) == "too few rows"
    assert first_line(KeyError()) == "KeyError"
    assert first_line(ValueError("")) == "ValueError"


@pytest.mark.parametrize("kind", [InputError, ValueError])
def test_a_mendable_fault_is_one_sentence_and_exit_code_2(kind, capsys):
    with pytest.raises(SystemExit) as end, one_sentence():
        raise kind("There is no model here; name another.")
    assert end.value.code == 2
    assert isinstance(end.value.__cause__, kind)
    assert capsys.readouterr() == ("", "There is no model here; name another.\n")


def test_a_bug_is_no_sentence():
    with pytest.raises(ZeroDivisionError), one_sentence():
        raise ZeroDivisionError
    with one_sentence():
        pass
