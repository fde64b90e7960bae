"""`make crash`: kill the processes of a trading bot again and again, and prove that nothing is lost or doubled."""
