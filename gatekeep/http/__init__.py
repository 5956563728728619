"""HTTP without I/O: HTTP/1.1 for both sides of an exchange, HTTP/2 for clients.

The one importer of `h11` and of `h2`.
"""
