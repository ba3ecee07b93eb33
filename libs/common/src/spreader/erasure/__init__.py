"""Erasure: removes a person from the tables of a service, and keeps older records from bringing the person back."""
