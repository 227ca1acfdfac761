"""Figures, read only, each with its formula."""
