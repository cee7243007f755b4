"""`make bench`: the service beside the same service built otherwise, by CPU per request of the servers."""
