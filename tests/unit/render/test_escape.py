"""Escaping: literal expectations from systemd.unit(5) and systemd.service(5)."""

import pytest

from scheduled_tasks.render.escape import (
    UnwritableValueError,
    command_line,
    directive_value,
    escape,
    quote_assignment,
    quote_path,
)


@pytest.mark.parametrize(
    ("value", "written"),
    [
        ("plain", "plain"),
        ("100%", "100%%"),
        ("%h is no home", "%%h is no home"),
        ("$HOME stays: only Exec lines know variables", "$HOME stays: only Exec lines know variables"),
        ("{{ jinja }}", "{{ jinja }}"),
        ("ü", "ü"),
        (5, "5"),
    ],
)
def test_a_value_is_escaped_so_that_systemd_reads_it_unchanged(value: object, written: str) -> None:
    assert escape(value) == written


@pytest.mark.parametrize(
    "value", ["two\nlines", "nul\0", "carriage\rreturn", "tab\t", "joins the next line\\", "\ud800", "\ufffe"]
)
def test_a_value_that_a_unit_file_cannot_contain_is_rejected_with_the_value(value: str) -> None:
    with pytest.raises(UnwritableValueError) as raised:
        escape(value)
    assert repr(value) in str(raised.value)


@pytest.mark.parametrize(
    ("argument", "written"),
    [
        ("booking.cancel", "booking.cancel"),
        ("--clock=a", "--clock=a"),
        ("", '""'),
        ("two words", '"two words"'),
        ("$HOME", '"$$HOME"'),
        ("50%", '"50%%"'),
        ('say "hi"', '"say \\"hi\\""'),
        ("back\\slash", '"back\\\\slash"'),
        ("ends in \\", '"ends in \\\\"'),
        ("a;b #c", '"a;b #c"'),
    ],
)
def test_an_argument_of_a_command_is_one_word_without_expansions(argument: str, written: str) -> None:
    assert command_line(argument) == written


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("A=plain", '"A=plain"'),
        ("A=$HOME 50%", '"A=$HOME 50%%"'),
        ('A=say "hi"\\', '"A=say \\"hi\\"\\\\"'),
        ("A=one\n\ttwo", '"A=one\\n\\ttwo"'),
    ],
)
def test_a_variable_is_one_quoted_word_and_can_have_several_lines(text: str, written: str) -> None:
    assert quote_assignment(text) == written


def test_a_path_in_a_list_is_one_quoted_word() -> None:
    assert quote_path('/srv/a "b" \\ 5%') == '"/srv/a \\"b\\" \\\\ 5%%"'


@pytest.mark.parametrize("value", [" leads", "trails "])
def test_blanks_at_the_ends_of_a_line_are_rejected(value: str) -> None:
    with pytest.raises(UnwritableValueError, match="begins or ends with a blank"):
        directive_value(value)
