"""A document-management system that drops .edxml files into a folder and collects them from another."""
