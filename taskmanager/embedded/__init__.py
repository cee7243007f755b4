"""Real servers from wheels, for development and tests: nothing to install beside Python.

`mongod.Server`, `valkey.Server` and `mail_sink.Server` are driven in two ways. Tests call `start()` and
`stop()`. `taskmanager up` hands `command` to its supervisor and then calls `wait_ready()`.
"""
