"""How `constrained` draws: one file for the choice, one for each way."""
