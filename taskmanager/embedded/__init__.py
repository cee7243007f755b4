"""Real servers from wheels, for development and tests: they need nothing beside Python.

`mongod.MongodServer`, `valkey.ValkeyServer` and `mail_sink.MailSink` are used in two ways. Tests call `start()` and
`stop()`. `taskmanager up` passes the command `guarded` to its supervisor and waits until `answers()`.
"""
