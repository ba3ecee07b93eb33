"""Dashboards as code, by Grafana's own SDK: `make docs` writes their JSON into `dashboards`."""
