"""What wakes many gateways: RabbitMQ carries the ids of what may be due; the ledger alone knows what is."""

from __future__ import annotations

from gateway.broker.rabbitmq.broker import RabbitBroker

__all__ = ["RabbitBroker"]
