"""What an authority's engineer runs alone: does our side say what the register understands, and hear what it says?

``server``: the HTTP side. ``notices``: examples of every type the authority is competent for, with test numbers.
``trying`` (dry runs), ``sending`` and ``hearing`` (a rehearsal only): the checks. ``run``: one after another.
"""

from register.rehearsal.conformance.run import Result, conform
from register.rehearsal.conformance.server import ConformanceError, Server, greet, who_is

__all__ = ["ConformanceError", "Result", "Server", "conform", "greet", "who_is"]
