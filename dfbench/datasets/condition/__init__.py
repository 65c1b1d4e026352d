"""What `dfbench data verify` reports of each kind of dataset."""
