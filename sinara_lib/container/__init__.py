"""From a packed service to an OCI image."""
