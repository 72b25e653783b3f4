"""A provincial document interface behind WSO2 API Manager, of the Quảng Nam kind."""
