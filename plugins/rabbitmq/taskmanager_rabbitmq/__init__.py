"""Publishes each committed event as a CloudEvent, in the order of positions, to RabbitMQ."""
