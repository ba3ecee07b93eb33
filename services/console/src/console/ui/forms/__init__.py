"""Forms: fields that an operator fills in, with the errors at the fields."""
