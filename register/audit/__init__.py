"""What lets others check the register: export, offline verification, replay, witness."""
