"""One module per screen: each reads what it shows, and hands it to a template."""
