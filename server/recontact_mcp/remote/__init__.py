"""The server over HTTP: one application from many routes, for one machine or a fleet."""
