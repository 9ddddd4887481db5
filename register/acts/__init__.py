"""Acts: what a person with a mandate decides here. Load the stream, ask the law, append; one act, one transaction."""
