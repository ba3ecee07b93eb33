"""UI: the layout, forms and components that pages are built from."""
