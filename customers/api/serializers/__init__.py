"""How customers look in the API."""
