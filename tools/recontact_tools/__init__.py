"""What can be done with recontacts: one file per operation, and the way down to the API."""
