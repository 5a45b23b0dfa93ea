"""The API's prose about a partial success: its numbers are believed only where they are unmistakable."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recontact_tools.partial_success import COUNT_MAX, PartialCounts, partial_counts


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(
            "Upload partially successful. 500 respondent IDs uploaded successfully, 10 failed (invalid or empty).",
            id="the documented words",
        ),
        pytest.param("500 IDs UPLOADED; 10 Failed", id="other capitals"),
        pytest.param("500 saved and 10 rejected", id="other verbs"),
        pytest.param("500 uploaded, 10 failed (not known or could not be read)", id="with the reason of the failures"),
        pytest.param("500\nuploaded\n10\nfailed", id="in lines"),
        pytest.param("[id]: 500 uploaded, 10 failed", id="after an ID that was taken out"),
    ],
)
def test_two_numbers_that_say_what_they_count_are_read(text: str) -> None:
    assert partial_counts(text) == PartialCounts(500, 10)


@pytest.mark.parametrize("separator", [",", ".", "'", "\u2019", "\u00a0", "\u2009", "\u202f", ""])
def test_thousands_may_be_separated(separator: str) -> None:
    text = f"99{separator}990 respondent IDs uploaded, 1{separator}010 failed"
    assert partial_counts(text) == PartialCounts(99_990, 1_010)


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("", id="nothing"),
        pytest.param("Some IDs failed.", id="no number"),
        pytest.param("500 uploaded, some failed", id="one number"),
        pytest.param("500 of 510 uploaded, 10 failed", id="three numbers"),
        pytest.param("500 of 510 uploaded", id="a share"),
        pytest.param("10 failed, 500 uploaded", id="the other way round"),
        pytest.param("500 uploaded, 10 skipped or stored", id="a second number that means both"),
        pytest.param("500 uploaded or failed, 10 failed", id="a first number that means both"),
        pytest.param("500 were not uploaded, 10 failed", id="not uploaded"),
        pytest.param("500 couldn't be uploaded, 10 failed", id="could not be uploaded"),
        pytest.param("500 uploaded, 10 could have failed", id="doubt"),
        pytest.param("98% uploaded, 2% failed", id="percentages"),
        pytest.param("-500 uploaded, 10 failed", id="below zero"),
        pytest.param("0.5 uploaded, 10 failed", id="a fraction"),
        pytest.param("1,00 uploaded, 10 failed", id="a group of two digits"),
        pytest.param("1,000.000 uploaded, 10 failed", id="two kinds of separators"),
        pytest.param("\u0665\u0660\u0660 uploaded, 10 failed", id="digits of another script"),
        pytest.param(f"{COUNT_MAX + 1} uploaded, 10 failed", id="more than a file holds"),
        pytest.param(f"{'9' * 5_000} uploaded, 10 failed", id="a very long number"),
        pytest.param("500 IDs, 10 failed", id="nothing said of the first"),
        pytest.param("500 uploaded, 10 too", id="nothing said of the second"),
    ],
)
def test_what_may_mean_anything_else_is_not_read(text: str) -> None:
    assert partial_counts(text) is None


@given(st.text() | st.text(st.sampled_from("0123456789,.'- uploadfie%"), max_size=60))
def test_any_text_is_survived(text: str) -> None:
    counts = partial_counts(text)
    assert counts is None or (0 <= counts.stored <= COUNT_MAX and 0 <= counts.failed <= COUNT_MAX)


@given(st.integers(0, 100_000), st.integers(0, 100_000), st.sampled_from(["", ","]))
def test_every_pair_of_counts_in_the_documented_words_is_read(stored: int, failed: int, separator: str) -> None:
    shown = [f"{count:,}".replace(",", separator) for count in (stored, failed)]
    text = f"Upload partially successful. {shown[0]} respondent IDs uploaded successfully, {shown[1]} failed."
    assert partial_counts(text) == PartialCounts(stored, failed)
