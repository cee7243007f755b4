"""What administrators and operators declare for the whole service: maintenance, and the message of the day."""
