"""A voice in a room: sound -> segments -> turns -> messages."""
