"""How near constrained sampling comes to the model's own distribution given the grammar."""
