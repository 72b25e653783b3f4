"""What is read at start: settings, the province folder, the contracts. The only room that reads their files."""
