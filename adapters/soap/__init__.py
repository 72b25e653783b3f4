"""A SOAP service, described by one file beside its WSDL and XSD."""
