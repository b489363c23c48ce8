"""Pure core: bytes in, values out. Does no I/O and imports no Twisted."""
