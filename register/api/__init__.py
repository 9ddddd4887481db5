"""The HTTP interface, by counterpart. Nothing is decided here: it asks the rooms below, and words their answers."""
