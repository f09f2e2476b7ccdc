"""How blocks change the state: the transition, and which rules are in force."""
