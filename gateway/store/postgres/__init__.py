"""The ledger of a cluster: one PostgreSQL for any number of gateways, each committing in groups beside the others."""
