"""The page that checks proofs by itself: one file that may be saved, sends nothing, and speaks all five languages.

Its policy names the digests of its one script and its one style sheet and allows nothing else, no request either; it
stands in the page too, so that it holds for a saved copy.
"""

from __future__ import annotations

import base64
import hashlib
import json
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

from markupsafe import Markup

from register.web.languages import OWN_NAMES, SPEECH, TAGS

_ASSETS: Final = Path(__file__).parent / "assets"

#: What the page says, in whatever language it is switched to.
WORDS: Final = (
    "Check a proof",
    (
        "This page checks whether what you were handed is what the register put on record. It sends nothing anywhere: "
        "save it, and it works without a connection."
    ),
    "Choose the file you were handed",
    "or paste its text",
    "The key of the log",
    (
        "Compare the key with the one published in a second place, such as the Official Gazette: a false register "
        "would show a false key here."
    ),
    "Check",
    "Proven",
    "Not proven",
    "This line stands on the list {name}, which has {rows} lines:",
    "It is on record at position {position} of the log.",
    "What stands beside the record is what the record vouches for:",
    "The signed log has {size} events; its root is {root}.",
    "This shows what was on record when the proof was made, and not what came later.",
    "This is not a proof that this page knows.",
    "The key is not the key line of a log.",
    "The signature under the checkpoint is not one of this key.",
    "The proof does not lead to the root that was signed.",
    "The line does not lead to the root on record.",
    "What stands beside the record is not what the record vouches for.",
    (
        "This browser computes no digests on this page. Open it over a secure connection (https), or save it and open "
        "the file."
    ),
)


@lru_cache
def _asset(name: str) -> str:
    return (_ASSETS / name).read_text(encoding="utf-8")


def policy() -> str:
    """What the page may do: run its own script, wear its own style, nothing else."""
    script, style = (_digest(_asset(name)) for name in ("check.js", "check.css"))
    return (
        f"default-src 'none'; script-src '{script}'; style-src '{style}'; img-src data:; base-uri 'none'; "
        "form-action 'none'"
    )


def parts() -> dict[str, Any]:
    """What the template puts together, besides the key."""
    said = {TAGS[language]: {word: speech.say(word) for word in WORDS} for language, speech in SPEECH.items()}
    # Written so that nothing in it can end the element it stands in.
    words = json.dumps(said, ensure_ascii=False).replace("<", "\\u003c")
    return {
        "script": Markup(_asset("check.js")),  # noqa: S704 - our own file
        "style": Markup(_asset("check.css")),  # noqa: S704 - our own file
        "words": Markup(words),  # noqa: S704 - escaped above
        "languages": [(tag, OWN_NAMES[language]) for language, tag in TAGS.items()],
    }


def _digest(text: str) -> str:
    return f"sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}"
