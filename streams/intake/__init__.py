"""Any record: an anchored interaction, or a dead letter. Nothing in here raises for what a record holds."""
