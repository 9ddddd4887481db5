"""The product used from outside, by itself: synthetic feed, demonstration, measurements, conformance."""
