"""The signatures that are accepted on a token (RFC 7518, 8037, 9864)."""

from __future__ import annotations

from typing import Any, Final

from joserfc.errors import UnsupportedAlgorithmError
from joserfc.jws import JWSRegistry

#: "Ed25519" is what RFC 9864 calls EdDSA over that curve. No symmetric ones, and never "none".
ALGORITHMS: Final = frozenset({"EdDSA", "Ed25519", "ES256", "RS256"})


class _Registry(JWSRegistry):
    """The accepted algorithms and no others; the contract says EdDSA, so that name is not warned about."""

    def get_alg(self, name: str) -> Any:
        if name not in ALGORITHMS:
            raise UnsupportedAlgorithmError("the algorithm is not accepted here")
        return self.algorithms[name]


#: What is given to every signing and verifying. Header members nobody here knows are passed over, ``crit`` is not.
REGISTRY: Final = _Registry(strict_check_header=False)
