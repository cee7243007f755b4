"""The audit log: the audited events of the event log, about accounts and rights."""
