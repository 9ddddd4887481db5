"""``cvr contracts``: writes the generated contracts, for those who change the program."""

from __future__ import annotations

from register.app.http import write_contracts
from register.app.parts import CONTRACTS


def contracts() -> None:
    """Write contracts/openapi.json, contracts/asyncapi.yaml and contracts/notices again."""
    write_contracts()
    print(f"written: {CONTRACTS}")
