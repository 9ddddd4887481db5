"""Reads a page as a program for the blind would: its elements in order, its text, what is wrong with it."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, field
from html.parser import HTMLParser

import httpx

VOID = frozenset({"area", "base", "br", "col", "hr", "img", "input", "link", "meta", "wbr"})
#: What runs or loads something: none of it stands in a page.
ACTIVE = frozenset({"script", "iframe", "object", "embed", "style"})


@dataclass
class Element:
    """An element with all the text inside it."""

    tag: str
    attributes: dict[str, str]
    text: str = ""
    inside: tuple[str, ...] = field(default=())


class Page(HTMLParser):
    """The elements of a page in document order."""

    def __init__(self, answer: httpx.Response) -> None:
        super().__init__()
        self.elements: list[Element] = []
        self._open: list[Element] = []
        assert answer.headers["content-type"] == "text/html; charset=utf-8"
        self.feed(answer.text)
        assert not self._open, f"never closed: {[element.tag for element in self._open]}"

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        attributes = {name: value or "" for name, value in attrs}
        assert len(attributes) == len(attrs), f"an attribute twice: {tag} {attrs}"
        element = Element(tag, attributes, inside=tuple(e.tag for e in self._open))
        self.elements.append(element)
        if tag not in VOID:
            self._open.append(element)

    def handle_endtag(self, tag: str) -> None:
        assert [e.tag for e in self._open[-1:]] == [tag], f"</{tag}> closes nothing"
        self._open.pop()

    def handle_data(self, data: str) -> None:
        for element in self._open:
            element.text += data

    def all(self, *tags: str) -> list[Element]:
        return [element for element in self.elements if element.tag in tags]

    def one(self, tag: str) -> Element:
        (element,) = self.all(tag)
        return element

    def said(self, tag: str) -> str:
        """The text of the only element of a kind, its white space as a browser shows it."""
        return " ".join(self.one(tag).text.split())

    def named(self, id: str) -> Element:
        (element,) = [e for e in self.elements if e.attributes.get("id") == id]
        return element

    def lines(self) -> dict[str, str]:
        """Terms and what is said of them."""
        texts = [" ".join(element.text.split()) for element in self.all("dt", "dd")]
        return dict(zip(texts[::2], texts[1::2], strict=True))

    def barriers(self) -> list[str]:
        """What would shut somebody out (after WCAG 2.2: 1.1.1, 1.3.1, 2.4.2, 2.4.6, 3.1.1, 4.1.2)."""
        found = [f"{e.tag} in a page" for e in self.all(*ACTIVE)]
        found += [f"{e.tag} has {a}" for e in self.elements for a in e.attributes if a.startswith("on") or a == "style"]
        ids = [e.attributes["id"] for e in self.elements if "id" in e.attributes]
        found += [f"id {one} twice" for one in set(ids) if ids.count(one) > 1]
        found += [
            f"{e.tag} refers to {one}, which is not there"
            for e in self.elements
            for name in ("aria-labelledby", "aria-describedby", "for")
            for one in e.attributes.get(name, "").split()
            if one not in ids
        ]
        labelled = {e.attributes.get("for") for e in self.all("label") if e.text.strip()}
        found += [
            f"no label: {e.attributes}"
            for e in self.all("input", "select", "textarea")
            if e.attributes.get("type") != "hidden" and e.attributes.get("id") not in labelled
        ]
        found += ["a picture without alt" for e in self.all("img") if "alt" not in e.attributes]
        found += [f"{e.tag} without words" for e in self.all("a", "button", "h1", "h2", "h3", "th", "caption")
                  if not e.text.strip()]  # fmt: skip
        levels = [int(e.tag[1]) for e in self.all("h1", "h2", "h3", "h4", "h5", "h6")]
        if levels[:1] != [1] or levels.count(1) != 1:
            found.append(f"not one h1, first: {levels}")
        found += [f"h{a} then h{b}" for a, b in itertools.pairwise(levels) if b > a + 1]
        found += ["a table without caption" for e in self.all("table") if not self.all("caption")]
        found += ["th without scope" for e in self.all("th") if "scope" not in e.attributes]
        if not self.one("html").attributes.get("lang") or not self.said("title"):
            found.append("no language or no title")
        if not (self.all("main") and self.all("header") and self.all("footer") and self.all("nav")):
            found.append("no landmarks")
        return found
