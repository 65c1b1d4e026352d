"""A request becomes a plan: settings, method, data, identities; nothing is trained."""
