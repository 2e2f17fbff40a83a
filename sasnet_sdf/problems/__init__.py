"""What a network is trained on, a surface or a signal: read, fitted, extracted, evaluated."""
