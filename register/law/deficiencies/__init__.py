"""What is established as wrong in the register, and which authority must put it right (Art. 3.5(6), 3.6 a).

Pure rules over events: each finds what is wrong *now*. What has become of a finding (established, notified,
acknowledged, remedied, dismissed) is a history of its own, in the event store. No rule here changes anybody's entry.
"""

from register.law.deficiencies.kinds import KINDS, Finding, Kind, Rule

__all__ = ["KINDS", "Finding", "Kind", "Rule"]
