"""Excerpts: lists drawn from a roll for a stated use (Election Law, Art. 3.6 b, c), in several formats."""
