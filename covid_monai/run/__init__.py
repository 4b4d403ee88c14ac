"""A run of a bundle: its folder, training, evaluation, and the network that it trained."""
