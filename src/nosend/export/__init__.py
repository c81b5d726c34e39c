"""The blacklist for other tools: `formats` writes the text, `files` puts it in place whole."""
