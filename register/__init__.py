"""The Central Voters Register of Bosnia and Herzegovina."""
