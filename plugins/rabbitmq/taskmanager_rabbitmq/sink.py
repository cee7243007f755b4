"""What the publisher needs of a broker, and RabbitMQ as the first one."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from typing import Any, Protocol

import orjson
import pika
from pika.exceptions import AMQPError

from taskmanager_rabbitmq.cloud_events import CONTENT_TYPE

_SECONDS = 5.0


class SinkUnavailable(Exception):
    """The broker has not confirmed: all events of the batch are published again."""


class Sink(Protocol):
    """A broker. Kafka, for instance: key = `partitionkey`, an idempotent producer, `flush` before `publish` returns."""

    def publish(self, events: Sequence[Mapping[str, Any]]) -> None:
        """Store CloudEvents in this order; return when the broker has confirmed each. Raises SinkUnavailable."""

    def close(self) -> None:
        """End the connection."""


class RabbitSink:
    """An exchange of RabbitMQ, with a durable queue of all events and a queue of what consumers reject."""

    def __init__(self, url: str, exchange: str, queue: str) -> None:
        self._parameters = pika.URLParameters(url)
        self._parameters.socket_timeout = self._parameters.stack_timeout = _SECONDS
        self._parameters.blocked_connection_timeout = 6 * _SECONDS
        self._parameters.heartbeat = 15
        self._exchange, self._queue = exchange, queue
        self._connection: pika.BlockingConnection | None = None
        self._channel: Any = None

    def publish(self, events: Sequence[Mapping[str, Any]]) -> None:
        """Publish and wait for the confirmation of each message: an event that no queue takes is not confirmed."""
        with self._refusals():
            channel = self._open()
            for event in events:
                channel.basic_publish(
                    self._exchange, event["type"], orjson.dumps(event), properties=_properties(event), mandatory=True
                )

    def keep_alive(self) -> None:
        """Serve the heartbeats of an idle connection. Raises SinkUnavailable."""
        if self._connection is not None:
            with self._refusals():
                self._connection.process_data_events()

    def close(self) -> None:
        """End the connection; safe to repeat."""
        connection, self._connection, self._channel = self._connection, None, None
        if connection is not None:
            with suppress(AMQPError, OSError):
                connection.close()

    @contextmanager
    def _refusals(self) -> Iterator[None]:
        try:
            yield
        except (AMQPError, OSError) as error:
            self.close()
            raise SinkUnavailable(type(error).__name__) from error

    def _open(self) -> Any:
        if self._channel is None:
            self._connection = pika.BlockingConnection(self._parameters)
            channel = self._connection.channel()
            channel.confirm_delivery()
            self._declare(channel)
            self._channel = channel
        return self._channel

    def _declare(self, channel: Any) -> None:
        dead = f"{self._queue}.dead"
        channel.exchange_declare(self._exchange, "topic", durable=True)
        channel.exchange_declare(dead, "fanout", durable=True)
        channel.queue_declare(dead, durable=True)
        channel.queue_bind(dead, dead)
        channel.queue_declare(self._queue, durable=True, arguments={"x-dead-letter-exchange": dead})
        channel.queue_bind(self._queue, self._exchange, "#")


def _properties(event: Mapping[str, Any]) -> pika.BasicProperties:
    return pika.BasicProperties(
        content_type=CONTENT_TYPE,
        delivery_mode=pika.DeliveryMode.Persistent,
        message_id=event["id"],
        type=event["type"],
        headers={"partitionkey": event["partitionkey"], "sequence": event["sequence"]},
    )
