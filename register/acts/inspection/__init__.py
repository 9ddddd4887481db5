"""The register inspects itself: what is wrong by the rules becomes a deficiency, what is put right ends one."""

from register.acts.inspection.inspector import Inspector, inspect_all, lag

__all__ = ["Inspector", "inspect_all", "lag"]
