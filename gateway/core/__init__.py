"""The rules of the bus as pure values and functions: no clock, socket, file, log, chance or ``async``."""
