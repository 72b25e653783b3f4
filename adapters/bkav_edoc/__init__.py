"""A provincial document service of the Bkav eDoc kind."""
