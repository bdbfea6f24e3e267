"""Parsing unit text: literal expectations from systemd.syntax(7)."""

from scheduled_tasks.render.unit_file import UnitFile, merge, section_text

TEXT = """# Comment
[Unit]
Description=a=b

[Service]
; another comment
Environment="A=1 [x]"
Environment=
ExecStart=/bin/run \\
# inside
  --more
Type = exec
"""


def test_directives_have_their_section_name_and_value_as_written() -> None:
    assert UnitFile(TEXT).directives == (
        ("Unit", "Description", "a=b"),
        ("Service", "Environment", '"A=1 [x]"'),
        ("Service", "Environment", ""),
        ("Service", "ExecStart", "/bin/run    --more"),
        ("Service", "Type", "exec"),
    )
    assert UnitFile(TEXT).values("Environment") == ('"A=1 [x]"', "")
    assert [directive.name for directive in UnitFile(TEXT).section("Unit")] == ["Description"]


def test_only_a_line_feed_ends_a_line() -> None:
    assert UnitFile("[Unit]\nDescription=a\u2028b\x85c\n").values("Description") == ("a\u2028b\x85c",)


def test_a_directive_is_removed_with_the_comments_above_it() -> None:
    text = "[Service]\n# why\n# and how\nUser=a\n\n# kept\nType=exec\n"
    assert UnitFile(text).without({"User"}).text == "[Service]\n\n# kept\nType=exec\n"


def test_values_count_from_the_last_reset_on() -> None:
    files = [UnitFile("[Service]\nA=1\nA=2\nB=1\n"), UnitFile("[Service]\nA=\nA=3\n")]
    assert merge(files) == {"A": ("", "3"), "B": ("1",)}


def test_a_written_section_is_read_back() -> None:
    assert UnitFile(section_text("Service", [("A", "1"), ("A", "")])).directives == (
        ("Service", "A", "1"),
        ("Service", "A", ""),
    )
