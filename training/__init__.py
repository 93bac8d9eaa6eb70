"""How the compact network was made. Nothing in `enhance/` imports this; see docs/compact.md."""
