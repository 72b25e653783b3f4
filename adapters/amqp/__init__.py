"""Push over AMQP: the bus puts each message into a queue of the system's own, from which it consumes."""
