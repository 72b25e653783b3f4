"""The national public-service portal: what the province's one-stops tell it, and what it brings them."""
