"""Pages by desk: rules, rounds, filing, reviews, the county's desk, applications, batches."""
