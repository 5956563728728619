"""gatekeep: a layer-7 gateway between AI agents and AWS."""
