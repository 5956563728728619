"""The right to act: requests that wait for people, and what people decide."""
