"""Attention by locality-sensitive hashing (Reformer), exact in memory linear in the pixels."""
