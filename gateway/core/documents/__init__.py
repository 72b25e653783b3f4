"""Official documents and reports on them, between edXML and the contracts: shared by every tongue of documents."""
