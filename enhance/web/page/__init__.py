"""The page: widgets, and what happens when somebody uses them."""
