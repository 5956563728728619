"""Who asks: identity tokens verified, sessions sealed and opened, the STS door."""
