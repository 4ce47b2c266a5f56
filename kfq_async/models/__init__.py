"""Models of requests, results and notifications: frozen, validated values; snake_case here, camelCase on the wire."""
