"""The auditor's export: the whole history in files that anybody with Python can check, and fold again.

``writing`` makes it from the event store in one snapshot; ``refolding`` folds the law again from its files alone. What
needs nothing but the standard library is in ``register.audit.offline``.
"""
