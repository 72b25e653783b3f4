"""An older one-stop system that speaks the provincial dossier interface behind WSO2; its files come inline."""
