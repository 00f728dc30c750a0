"""What foreign operators are in ours: each operator of ours is read in one place."""
