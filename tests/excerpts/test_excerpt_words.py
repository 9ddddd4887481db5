"""The words on the lists: every language says everything."""

from __future__ import annotations

import re

import pytest
from babel.messages.pofile import read_po

from register.excerpts import words
from register.excerpts.words import LANGUAGES, Language, translations


def _messages(language: Language) -> dict[str, str]:
    path = words.FOLDER / language / "LC_MESSAGES" / "cvr.po"
    with path.open("rb") as source:
        return {str(m.id): str(m.string) for m in read_po(source, locale=language) if m.id}


@pytest.mark.parametrize("language", LANGUAGES)
def test_no_message_is_missing_in_any_language_and_places_to_fill_stay(language: Language) -> None:
    messages = _messages(language)
    assert messages.keys() == _messages("en").keys()
    for message, said in messages.items():
        assert said.strip()
        assert sorted(re.findall(r"\{\w+\}", said)) == sorted(re.findall(r"\{\w+\}", message))


def test_cyrillic_words_are_cyrillic_and_the_others_are_not() -> None:
    for language in LANGUAGES:
        for message, said in _messages(language).items():
            text = re.sub(r"\{\w+\}|SHA-256|JavaScript|https", "", said)
            wrong = r"[A-Za-zČčĆćĐđŠšŽž]" if language == "sr_Cyrl" else r"[\u0400-\u04ff]"
            assert not re.search(wrong, text), f"{language}: {message}"


def test_the_title_in_the_languages_of_the_country() -> None:
    said = {lang: translations(lang).gettext("Excerpt from the Central Voters Register") for lang in LANGUAGES}
    assert said["bs"] == "Izvod iz Centralnog biračkog spiska"
    assert said["hr"] == "Izvadak iz Središnjeg biračkog popisa"
    assert said["sr_Cyrl"] == "Извод из Централног бирачког списка"
