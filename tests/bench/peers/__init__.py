"""The same service built otherwise, for `make bench`; each is one file and reads the same documents."""
