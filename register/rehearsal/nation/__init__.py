"""The rehearsal of a nation: everything the register does for one, from its first load to verified lists, measured.

:func:`register.rehearsal.nation.run.rehearse` runs it, step after step, in a folder of its own. Each step calls what
the commands and workers call, in a process of its own, so that its memory and processor time are its own. A run that
was interrupted goes on: steps that are done are passed over, and what is half done goes on where it was.
"""

from .drawing import draw
from .figures import Figures, gathered, read_figures
from .run import RehearsalError, rehearse
from .steps import STEPS, USUAL
from .table import tables

__all__ = ["STEPS", "USUAL", "Figures", "RehearsalError", "draw", "gathered", "read_figures", "rehearse", "tables"]
