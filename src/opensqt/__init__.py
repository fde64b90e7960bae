"""OpenSQT: a grid market maker for crypto perpetual futures."""

__version__ = "0.1.0"
