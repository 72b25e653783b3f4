"""What the law asks of those who exchange documents, as dated rules: deadlines, what is owed, words that alarm."""
