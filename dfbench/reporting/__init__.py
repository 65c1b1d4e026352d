"""Tables, figures and web reports of finished runs."""
