"""The commands, by what they are for; ``callcenter/cli.py`` joins them."""
