"""A one-stop system that speaks the national portal's client side: it changes one URL, and the bus is its portal."""
