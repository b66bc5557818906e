"""One file a family of cases; `base.py` holds what they share."""
