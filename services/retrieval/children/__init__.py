"""Child processes: what may hang, grow or crash runs in one, spoken to in MessagePack over a socket pair."""
