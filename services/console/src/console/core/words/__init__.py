"""Words: what operators call alerts, causes and pages."""
