"""UI: the layout, forms and components that pages are built from, and the HTTP endpoints of the console."""
