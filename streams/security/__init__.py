"""Who may do what on Redis and Kafka, as lists for their own access control, and what is still open."""
