"""Pictures and plots of what was measured and learnt; nothing here computes what it shows."""
