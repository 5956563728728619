"""What AWS bytes mean: catalogue, recognition, signatures, bodies, faults, endpoints."""
