"""The base-management layer: settings and what an administrator maintains."""
