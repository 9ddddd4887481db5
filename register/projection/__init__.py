"""The register in tables, made from the event store: projector, queries, frozen rolls."""
