"""What travels: frozen values without behaviour, snake_case here and camelCase on the wire."""
