"""A provincial platform with a REST interface of the Lạng Sơn kind."""
