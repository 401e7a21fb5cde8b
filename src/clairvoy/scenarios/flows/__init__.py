"""Triage of network flows: an agent that looks at a flow group by group, and passes it, flags it or hands it to a person."""
