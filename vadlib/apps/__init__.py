"""A saved detector used on anyone's footage."""
