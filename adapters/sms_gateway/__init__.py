"""SMS to applicants by whatever HTTP interface an SMS provider has; the request is data, as no interface is common."""
