"""Kubernetes: the manifests, and the program that writes some of them."""
