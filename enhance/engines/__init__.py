"""Engines: where the work runs. All keep the contract in `enhance.engines.base`."""
