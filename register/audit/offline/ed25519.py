"""Ed25519 verification in plain Python (RFC 8032, 5.1), for machines that have nothing but Python.

Verification handles public values only, so that nothing here needs to run in constant time. A few milliseconds each.
"""

from __future__ import annotations

from hashlib import sha512
from typing import Final

_P: Final = 2**255 - 19
_L: Final = 2**252 + 27742317777372353535851937790883648493
_D: Final = -121665 * pow(121666, -1, _P) % _P
_ROOT: Final = pow(2, (_P - 1) // 4, _P)

#: A point (x, y) as extended coordinates (X, Y, Z, T): x = X/Z, y = Y/Z, xy = T/Z.
_Point = tuple[int, int, int, int]
_ZERO: Final[_Point] = (0, 1, 1, 0)


def verify(public: bytes, message: bytes, signature: bytes) -> bool:
    """Is this a good signature of the message? A ``note.Check``.

    Strict: the public key and R in their one encoding, S below the group's order, and the equation without cofactor.
    """
    if len(public) != 32 or len(signature) != 64:
        return False
    key = _decode(public)
    scalar = int.from_bytes(signature[32:], "little")
    if key is None or scalar >= _L:
        return False
    challenge = int.from_bytes(sha512(signature[:32] + public + message).digest(), "little") % _L
    x, y, z, t = key
    found = _add_multiples(scalar, _BASE, challenge, (_P - x, y, z, _P - t))
    return _encode(found) == signature[:32]


def _decode(raw: bytes) -> _Point | None:
    """RFC 8032, 5.1.3; None when these bytes encode no point."""
    number = int.from_bytes(raw, "little")
    y, odd = number & (1 << 255) - 1, number >> 255
    if y >= _P:
        return None
    square = (y * y - 1) * pow(_D * y * y + 1, -1, _P) % _P
    x = pow(square, (_P + 3) // 8, _P)
    if x * x % _P != square:
        x = x * _ROOT % _P
    if x * x % _P != square or (x == 0 and odd):
        return None
    if x & 1 != odd:
        x = _P - x
    return x, y, 1, x * y % _P


def _encode(point: _Point) -> bytes:
    x, y, z, _ = point
    inverse = pow(z, -1, _P)
    return (y * inverse % _P | (x * inverse % _P & 1) << 255).to_bytes(32, "little")


def _add(one: _Point, other: _Point) -> _Point:
    """RFC 8032, 5.1.4: complete addition, also for doubling."""
    a = (one[1] - one[0]) * (other[1] - other[0]) % _P
    b = (one[1] + one[0]) * (other[1] + other[0]) % _P
    c = 2 * one[3] * other[3] * _D % _P
    d = 2 * one[2] * other[2] % _P
    e, f, g, h = b - a, d - c, d + c, b + a
    return e * f % _P, g * h % _P, f * g % _P, e * h % _P


def _add_multiples(first: int, one: _Point, second: int, other: _Point) -> _Point:
    """``first * one + second * other`` in one pass over the bits of both."""
    choices = (_ZERO, one, other, _add(one, other))
    found = _ZERO
    for bit in range(max(first.bit_length(), second.bit_length()) - 1, -1, -1):
        found = _add(found, found)
        choice = (first >> bit & 1) | (second >> bit & 1) << 1
        if choice:
            found = _add(found, choices[choice])
    return found


#: The base point: y = 4/5, x even (RFC 8032, 5.1).
_BASE_X: Final = 15112221349535400772501151409588531511454012693041857206046113283949847762202
_BASE_Y: Final = 4 * pow(5, -1, _P) % _P
_BASE: Final[_Point] = (_BASE_X, _BASE_Y, 1, _BASE_X * _BASE_Y % _P)
