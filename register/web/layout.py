"""Rendering a page: the frame around every page, and the headers that go with it.

No page needs a script, and none loads anything from elsewhere; the policy in the headers says so to the browser.
"""

from __future__ import annotations

import gzip
import hashlib
from functools import lru_cache
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlencode

import jinja2
from fastapi import Request, Response
from starlette.responses import HTMLResponse

from register.excerpts.fonts import folder as font_folder
from register.web.languages import OWN_NAMES, SPEECH, TAGS, Speech, choose
from register.web.sources import Sources

_HERE: Final = Path(__file__).parent
_MEDIA: Final[dict[str, str]] = {
    "style.css": "text/css; charset=utf-8",
    "mark.svg": "image/svg+xml",
    "FiraSans-Regular.ttf": "font/ttf",
    "FiraSans-SemiBold.ttf": "font/ttf",
}
HEADERS: Final = {
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'self'; img-src 'self'; font-src 'self'; form-action 'self'; "
        "base-uri 'none'; frame-ancestors 'none'"
    ),
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
}
#: Of pages about nobody: kept for a minute by whoever passes them on.
OPEN: Final = {"Cache-Control": "public, max-age=60", "Vary": "Accept-Language"}
#: Of pages about somebody, or with a form: kept by nobody.
PRIVATE: Final = {"Cache-Control": "no-store"}

_templates: Final = jinja2.Environment(
    loader=jinja2.FileSystemLoader(_HERE / "templates"),
    autoescape=True,
    undefined=jinja2.StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)


def speech_of(request: Request) -> Speech:
    """The language a request asks for."""
    return SPEECH[choose(request.query_params.get("lang"), request.headers.get("accept-language"))]


def render(
    request: Request, sources: Sources, template: str, *, status: int = 200, private: bool = False, **values: Any
) -> Response:
    """A page in the language asked for, in the frame of all pages, with its headers."""
    speech = speech_of(request)
    text = _templates.get_template(template).render(
        s=speech,
        _=speech.say,
        link=lambda path: f"{path}?{urlencode({'lang': speech.tag})}",
        asset=asset_url,
        # Relative to the page itself, so that no address is ever repeated in a page.
        languages=[(tag, OWN_NAMES[name], f"?lang={tag}") for name, tag in TAGS.items()],
        clock=sources.now() if sources.settings.rehearsal else None,
        development=sources.settings.issuer is None,
        **values,
    )
    headers = HEADERS | (PRIVATE if private else OPEN) | {"Content-Language": speech.tag}
    return HTMLResponse(text, status, headers=headers)


def render_alone(request: Request, template: str, policy: str, **values: Any) -> Response:
    """A page without the frame of the others, whole in itself, so that it may be saved; under a policy of its own."""
    speech = speech_of(request)
    text = _templates.get_template(template).render(s=speech, _=speech.say, policy=policy, **values)
    headers = HEADERS | OPEN | {"Content-Security-Policy": f"{policy}; frame-ancestors 'none'"}
    return HTMLResponse(text, headers=headers | {"Content-Language": speech.tag})


def asset_url(name: str) -> str:
    """Where an asset is to be had; other content has another address, so that it may be kept for ever."""
    return f"/assets/{_digest(name)}/{name}"


def asset(version: str, name: str, accepts: str) -> Response | None:
    """An asset, zipped for who accepts that; None when there is none of this version and name."""
    if name not in _MEDIA or version != _digest(name):
        return None
    headers = {
        "Content-Type": _MEDIA[name],
        "Cache-Control": "public, max-age=31536000, immutable",
        "Vary": "Accept-Encoding",
        "X-Content-Type-Options": "nosniff",
    }
    if "gzip" in accepts:
        return Response(_zipped(name), headers=headers | {"Content-Encoding": "gzip"})
    return Response(_content(name), headers=headers)


@lru_cache
def _content(name: str) -> bytes:
    if name.endswith(".ttf"):
        return (font_folder() / name).read_bytes()
    content = (_HERE / "assets" / name).read_text(encoding="utf-8")
    for font in (font for font in _MEDIA if font.endswith(".ttf")):
        content = content.replace(f"url({font})", f"url({asset_url(font)})")
    return content.encode()


@lru_cache
def _digest(name: str) -> str:
    return hashlib.sha256(_content(name)).hexdigest()[:16]


@lru_cache
def _zipped(name: str) -> bytes:
    return gzip.compress(_content(name), mtime=0)
