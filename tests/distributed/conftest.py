"""The town and its hands, for several hosts."""

from __future__ import annotations

from tests.flows.conftest import hands

__all__ = ["hands"]
