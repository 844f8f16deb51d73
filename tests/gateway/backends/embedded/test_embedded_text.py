"""Text comes whole: no half characters, nothing of a stop string."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import pytest

from gateway.backends.embedded.chat import byte_alphabet
from gateway.backends.embedded.text import Text

BYTES = [bytes([b]) for b in range(256)]


def spoken(data: bytes, stops: Sequence[str] = (), *, include_stop: bool = False) -> list[str]:
    """What comes out as bytes go in one by one, until a stop."""
    text, out = Text(BYTES, stops, include_stop=include_stop), []
    for byte in data:
        out.append(text.push(byte))
        if text.stopped:
            break
    return [*out, text.flush()]


def test_characters_are_never_split() -> None:
    words = "né 数学 👩‍🔬 done"
    out = spoken(words.encode())
    assert "".join(out) == words
    assert "\ufffd" not in "".join(out)


def test_a_character_cut_off_by_the_end_is_marked() -> None:
    assert "".join(spoken("ab数".encode()[:-1])) == "ab\ufffd"


@pytest.mark.parametrize(
    ("text", "stops", "expected"),
    [
        ("one two three", ["two"], "one "),
        ("one two three", ["xyz", "o t"], "one tw"),
        ("ababac", ["abac"], "ab"),
        ("a\n\nb", ["\n\n"], "a"),
        ("almost en", ["end"], "almost en"),
        ("数学数数", ["学数"], "数"),
    ],
)
def test_stop_strings(text: str, stops: list[str], expected: str) -> None:
    out = spoken(text.encode(), stops)
    assert "".join(out) == expected
    # What was said is never taken back.
    for said in itertools.accumulate(out):
        assert expected.startswith(said)


def test_stop_string_can_be_kept() -> None:
    assert "".join(spoken(b"one two three", ["two"], include_stop=True)) == "one two"


def test_stop_within_one_token() -> None:
    text = Text([b"left END right"], ["END"])
    assert text.push(0) == "left "
    assert text.stopped == "END"
    assert text.flush() == ""


def test_byte_alphabet_covers_every_byte_once() -> None:
    alphabet = byte_alphabet()
    assert sorted(alphabet.values()) == list(range(256))
    assert alphabet["Ġ"] == ord(" ")
    assert alphabet["Ċ"] == ord("\n")
