"""Notices in: read, judged, recorded or refused; and the journal of what was refused (Art. 3.5)."""
