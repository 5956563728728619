"""CRC-32C and CRC-64/NVME of buffers; see `crc.pyx`."""

def crc32c(data: bytes | bytearray | memoryview, value: int = 0) -> int:
    """The CRC-32C (Castagnoli) of data, going on from that of what came before."""

def crc64nvme(data: bytes | bytearray | memoryview, value: int = 0) -> int:
    """The CRC-64/NVME of data, going on from that of what came before."""
