"""Where the work runs. Every engine has the same contract, see `enhance.engines.base`."""
