"""What a network is: operators, graphs, the verbs to build them, and the registry."""
