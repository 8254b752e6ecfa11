"""The AWS side of the service: one module per concern, put together in app.py."""
