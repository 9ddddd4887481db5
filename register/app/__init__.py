"""Puts the parts together. ``parts``: what every process needs; ``http``: the whole system and its application."""
