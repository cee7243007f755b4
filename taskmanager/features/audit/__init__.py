"""The audit log: what happened to accounts and rights, as it stands in the event log."""
