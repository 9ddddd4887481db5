"""The law: pure functions and frozen structs. No clock, no I/O, no framework.

Everything else leans on this package; it leans on nothing but the standard library, msgspec and python-stdnum.
"""
