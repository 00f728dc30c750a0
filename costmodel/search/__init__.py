"""Networks that are sought: the largest of a family within a budget."""
