"""The main job, used from outside over HTTP: notices in, the register, an election, its lists, a verified history.

:func:`register.rehearsal.demo.story.tell` runs it; everything it shows was asked of the running server.
"""
