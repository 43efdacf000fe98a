"""Records as text, tables and graphs; no input or output here."""
