"""Addresses (地址): ``parsing`` takes a text apart, ``matching`` finds the building and the dwelling it means."""

from spatial.addresses.matching import Method, Outcome, match
from spatial.addresses.parsing import Address, label, parse

__all__ = ["Address", "Method", "Outcome", "label", "match", "parse"]
