"""The data path: connections in, the story of each request, connections out."""
