"""Values, results and logs: the only state that machines share."""
