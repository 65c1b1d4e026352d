"""What methods share: losses, image pool, students, training loop."""
