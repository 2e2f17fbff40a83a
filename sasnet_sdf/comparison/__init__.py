"""Networks, and screened Poisson, compared on the same data with the same budget."""
