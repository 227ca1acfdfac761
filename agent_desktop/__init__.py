"""What people see: pages, live push and the REST API."""
