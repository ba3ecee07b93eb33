"""Phones: the pages that list, add, import, link and change the phones of packages."""
