"""The catalogue of recordings and the account of what they cover."""
