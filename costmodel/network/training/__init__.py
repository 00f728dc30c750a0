"""What of a network is trained, and what runs again in backward."""
