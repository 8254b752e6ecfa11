"""What local/stack is made of: a private database, the service and nginx in one data folder."""
