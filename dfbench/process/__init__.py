"""The processes that a run starts: messages, launch, supervision, test images."""
