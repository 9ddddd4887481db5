"""Pages for people, rendered here and complete without a script: what is open to everyone, in five languages.

The pages know nothing of the HTTP interface beside them; what both show comes from the rooms below, or is handed in by
``register.app`` as :class:`Sources`.
"""

from register.web.errors import ErrorPages
from register.web.routes import router
from register.web.sources import PublicCounts, Sources

__all__ = ["ErrorPages", "PublicCounts", "Sources", "router"]
