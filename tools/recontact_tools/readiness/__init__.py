"""Whether a target group is set up for a recontact: what is read of it, and what each fact of it means."""
