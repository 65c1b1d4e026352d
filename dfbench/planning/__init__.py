"""From requests to plans: settings, method, data and identities; nothing is trained."""
