"""Units for systemd: what they say is decided in `plan.py` and `hardening.py`, written and removed by `files.py`."""
