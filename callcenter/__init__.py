"""The shared ground: what every part stands on, and where the parts are joined."""
