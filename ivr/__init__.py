"""Talking with the caller."""
