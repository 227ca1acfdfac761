"""The switch as facts; the only part that speaks to the switch."""
