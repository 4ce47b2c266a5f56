"""Models of requests, results and notifications: frozen values, snake_case here and camelCase on the wire."""
