"""Verification without the register: the standard library, and the log's ``tree``, ``note`` and ``receipts`` only."""
