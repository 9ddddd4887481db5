"""The transparency log over the event store (RFC 6962 in C2SP formats): tree, notes, files, sealer, receipts.

``tree``, ``note`` and ``receipts`` import the standard library only, so that the offline verification can use them.
"""
