"""The law of repeated data, Muennighoff et al. 2023, fitted; `fitting` is the door."""
