"""Looks a deployment over and says what to do about it.

`gathering` finds out the facts, over HTTP and by TLS handshakes; `checks` judges them; `report` prints the verdicts.
"""
