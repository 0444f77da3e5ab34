"""spatial computes: geometry and statistics, shapes, frames and arrays in, the same out."""
