"""The pages for operators at `/ops`: what the service does now, and the few things to mend it by.

They are an adapter like `taskmanager/pages`, with its forms, headers and login, and show what the API, its checks and
its metrics know, to administrators in a session.
"""
