"""``cvr witness``: cosign the register's checkpoints as an outside institution. Needs nothing of the register's."""

from __future__ import annotations

import asyncio
import os
import platform
import sys
from collections.abc import Awaitable, Callable, MutableMapping
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, Final

import typer
import uvicorn

from register.audit.offline.command import key_line
from register.cli.clock import current_clock
from register.log.cosigning import SIZE_TYPE
from register.log.keys import KeyFileError
from register.log.note import NoteError, VerifierKey, parse_key
from register.log.pulling import Log, UnreadableError, head_size, open_log, send
from register.log.tree import ProofError
from register.log.witness import KEY, Opinion, OutsideWitness, Seen, StateError, WitnessError
from register.settings import read_settings

#: Bytes of an ``add-checkpoint`` body, at most.
LARGEST: Final = 1 << 17
_TEXT: Final = "text/plain; charset=utf-8"
_Message = MutableMapping[str, Any]


class Action(StrEnum):
    """What a witness does."""

    KEY = "key"
    ONCE = "once"
    SERVE = "serve"


def witness(
    action: Annotated[Action, typer.Argument(help="key: print the key; once: cosign; serve: take checkpoints by HTTP")],
    place: Annotated[
        str | None, typer.Argument(metavar="[URL|DIR]", help="With once: the register's URL, or a folder of its log")
    ] = None,
    state: Annotated[Path, typer.Option(help="Folder of the witness's key and of what it has seen")] = Path("witness"),
    name: Annotated[
        str | None, typer.Option(help="The witness's name, when its key is made; such as observer.example/w1")
    ] = None,
    log: Annotated[
        list[str] | None, typer.Option(help="Verifier key line of a log to know, or a file with it; any number")
    ] = None,
    post: Annotated[bool, typer.Option("--send", help="With once: also post it to the register")] = False,
    host: Annotated[str, typer.Option(help="With serve: address to listen on")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="With serve: port to listen on", min=0, max=65535)] = 8001,
) -> None:
    """Cosign checkpoints as an outside institution. Exit 2 when the log contradicts what it showed before."""
    if (place is None) == (action is Action.ONCE):
        raise typer.BadParameter("goes with once, and only with it", param_hint="URL or DIR")
    try:
        own = OutsideWitness(state, _name(state, name), clock=current_clock(read_settings()), random=os.urandom)
        own.trust([_key(line) for line in log or []])
        match action:
            case Action.KEY:
                print(own.key)
            case Action.ONCE:
                raise typer.Exit(_once(own, place or "", state, post=post))
            case Action.SERVE:
                uvicorn.run(asgi(own), host=host, port=port, access_log=False, server_header=False)
    except (KeyFileError, StateError, UnreadableError, NoteError, OSError) as error:
        print(f"cvr witness: {error}", file=sys.stderr)
        raise typer.Exit(1) from None


def asgi(own: OutsideWitness) -> Callable[..., Awaitable[None]]:
    """The witness as an ASGI application: ``POST …/add-checkpoint`` (C2SP tlog-witness), and nothing else."""

    async def answer(
        scope: _Message, receive: Callable[[], Awaitable[_Message]], send_on: Callable[[_Message], Awaitable[None]]
    ) -> None:
        if scope["type"] == "lifespan":
            await _live(receive, send_on)
            return
        status, kind, body = 404, _TEXT, b"There is nothing here.\n"
        if scope["path"].endswith("/add-checkpoint"):
            if scope["method"] == "POST":
                asked = await _body(receive)
                status, kind, body = await asyncio.to_thread(_answered, own, asked)
            else:
                status, body = 405, b"This takes POST.\n"
        headers = [(b"content-type", kind.encode()), (b"content-length", str(len(body)).encode())]
        await send_on({"type": "http.response.start", "status": status, "headers": headers})
        await send_on({"type": "http.response.body", "body": body})

    return answer


def _answered(own: OutsideWitness, asked: bytes | None) -> tuple[int, str, bytes]:
    """Status, content type and body."""
    if asked is None:
        return 400, _TEXT, b"The request is too large.\n"
    try:
        return 200, _TEXT, str(own.add_checkpoint(asked).line).encode()
    except WitnessError as error:
        if error.size is not None:
            return error.status, SIZE_TYPE, f"{error.size}\n".encode()
        return error.status, _TEXT, f"{error}\n".encode()
    except (StateError, OSError):
        return 500, _TEXT, b"The witness cannot read or write its own state; it cosigns nothing.\n"


def _once(own: OutsideWitness, place: str, state: Path, *, post: bool) -> int:
    """Pull, compare, store, cosign: the exit status. Raises UnreadableError, NoteError, StateError, OSError."""
    with open_log(place) as found:
        note = found.checkpoint()
        origin, size = head_size(note)
        seen = _known(own, found, origin)
        try:
            opinion = _cosigned(own, found, seen, size, note)
        except (WitnessError, ProofError) as error:
            return _contradicted(error, state, note, seen, size)
    print(opinion.line, end="")
    if post:
        print(send(place, note + str(opinion.line).encode()).strip(), file=sys.stderr)
    return 0


def _known(own: OutsideWitness, found: Log, origin: str) -> Seen:
    """What the witness knows of the log; at first sight it takes the key that stands beside it, and says so."""
    seen = own.seen(origin)
    if seen is not None:
        return seen
    line = found.key()
    if line is None:
        raise NoteError("this log is not known: give its verifier key line with --log")
    print(f"First sight of this log. Compare its key with the one published elsewhere:\n{line}", file=sys.stderr)
    own.trust([parse_key(line)])
    seen = own.seen(origin)
    if seen is None:
        raise NoteError("the key that stands beside the log is another log's: give its key with --log")
    return seen


def _cosigned(own: OutsideWitness, found: Log, seen: Seen, size: int, note: bytes) -> Opinion:
    if size < seen.size:
        raise WitnessError(409, f"The log shows size {size}, after it showed {seen.size}", size=seen.size)
    proof = found.proof(seen.size, size) if 0 < seen.size < size else []
    return own.cosign(seen.size, proof, note)


def _contradicted(error: WitnessError | ProofError, state: Path, note: bytes, seen: Seen, size: int) -> int:
    """Say what is wrong and keep both notes: signed by the log, they are the evidence."""
    print(f"NOT cosigned: {error}", file=sys.stderr)
    if isinstance(error, WitnessError) and error.status not in {409, 422}:
        return 1
    path = state / f"evidence-{seen.size}-{size}"
    path.write_bytes(seen.note.encode() + b"\n" + note)
    print(f"Keep {path}: what the log showed before, and what it shows now.", file=sys.stderr)
    return 2


def _key(text: str) -> VerifierKey:
    return parse_key(key_line(text) or "")


def _name(state: Path, name: str | None) -> str | None:
    """The name for a key that is to be made; None when there is one, which has its name."""
    if name is None and not (state / KEY).exists():
        return f"{platform.node() or 'localhost'}/witness"
    return name


async def _body(receive: Callable[[], Awaitable[_Message]]) -> bytes | None:
    """The body of a request; None for one that is too large, or was broken off."""
    held = bytearray()
    while True:
        message = await receive()
        if message["type"] != "http.request":
            return None
        held += message.get("body", b"")
        if len(held) > LARGEST:
            return None
        if not message.get("more_body", False):
            return bytes(held)


async def _live(receive: Callable[[], Awaitable[_Message]], send_on: Callable[[_Message], Awaitable[None]]) -> None:
    while True:
        message = await receive()
        await send_on({"type": f"{message['type']}.complete"})
        if message["type"] == "lifespan.shutdown":
            return
