"""Hypothesis without deadlines: the machine is shared, and time is no property."""

from hypothesis import settings

settings.register_profile("policy", deadline=None, max_examples=60)
settings.load_profile("policy")
