"""Texts in ASCII have the tokens that they have within other texts."""

from hypothesis import given, strategies as st

from taskmanager.core.search_tokens import fold, tokens_of

texts = st.text(st.characters(max_codepoint=127), max_size=30) | st.text("aB1_'- .", max_size=20)


@given(texts)
def test_a_text_in_ascii_has_the_tokens_that_it_has_before_another_script(text):
    assert (fold(f"{text} 中"), tokens_of(f"{text} 中")) == (f"{fold(text)} 中", [*tokens_of(text), "中"])


def test_joined_words():
    assert tokens_of("E-Mail don't a--b _x_ 'q'") == ["e", "mail", "email", "don", "t", "dont", "a", "b", "x", "q"]
