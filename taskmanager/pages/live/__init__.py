"""Pages that follow the live stream: a script fetches them again when something on them has changed.

Without the script they are pages like all others.
"""
