"""Networks: layers, hash-grid engines, SASNet and its compiled passes, the networks it is compared with."""
