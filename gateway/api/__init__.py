"""The machines' doors: HTTP in, faults out as problems. Nothing here decides; it asks the steps and the ledger."""
