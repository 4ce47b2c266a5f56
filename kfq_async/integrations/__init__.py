"""Web framework integrations, one module each; importing one requires its framework."""
