"""Hides protected data in answers, records and what goes out (I3, I5, I8)."""
