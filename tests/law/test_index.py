"""The law's index is complete both ways, and printed in docs/law-index.md."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import register.law
from register.law.index import INDEX, as_markdown, name_of

PAGE = Path(__file__).parents[2] / "docs" / "law-index.md"
RULES = {*(f"R{n}" for n in range(1, 9)), *(f"U{n}" for n in range(1, 5)), "R-tie"}
#: Articles the register must carry out in any case.
ARTICLES = {"1.4", "1.5", "1.6", "1.7", "1.7a", "1.14", "3.1", "3.2", "3.3", "3.5", "3.6", "20.8"}


def cited(docstring: str) -> set[str]:
    """The provisions a docstring cites; "R1-R8" cites all eight, "Art. 1.5(2)" cites Art. 1.5."""

    def spelled_out(span: re.Match[str]) -> str:
        return " ".join(f"{span[1]}{n}" for n in range(int(span[2]), int(span[3]) + 1))

    text = re.sub(r"\b([RU])(\d)-\1(\d)\b", spelled_out, docstring)
    articles = re.findall(r"(?<![\d.])((?:1|2|3|5|20)\.\d{1,2}a?)(?!\d)", text)
    return set(re.findall(r"\bR[1-8]\b|\bU[1-4]\b|\bR-tie\b", text)) | {f"Art. {a}" for a in articles}


def public_functions() -> Iterator[Callable[..., Any]]:
    for module in pkgutil.iter_modules(register.law.__path__, "register.law."):
        if module.name == "register.law.index":
            continue
        for name, function in inspect.getmembers(importlib.import_module(module.name), inspect.isfunction):
            if function.__module__ == module.name and not name.startswith("_"):
                yield function


def test_every_rule_and_article_is_carried_out() -> None:
    cites = [p.cite for p in INDEX]
    assert len(cites) == len(set(cites))
    assert RULES | {f"Art. {a}" for a in ARTICLES} <= set(cites)
    assert all(p.functions for p in INDEX)


@pytest.mark.parametrize("provision", INDEX, ids=lambda p: p.cite)
def test_a_function_of_the_index_cites_its_provision(provision: Any) -> None:
    for function in provision.functions:
        assert provision.cite in cited(function.__doc__ or ""), name_of(function)


@pytest.mark.parametrize("function", list(public_functions()), ids=name_of)
def test_a_function_that_cites_a_provision_is_in_the_index(function: Callable[..., Any]) -> None:
    indexed = {p.cite for p in INDEX if function in p.functions}
    assert cited(function.__doc__ or "") == indexed


def test_the_printed_index_is_this_one() -> None:
    assert as_markdown() in PAGE.read_text(encoding="utf-8")
