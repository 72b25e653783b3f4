"""Liên Thông: the inter-agency data-sharing bus (LGSP) of a Vietnamese province.

It takes signed messages from agency systems, checks them against contracts and data-sharing agreements,
keeps them durably, delivers them to every subscribing system, and proves with receipts that it did.
"""

__version__ = "0.1.0"
