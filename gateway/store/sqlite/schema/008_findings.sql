-- what was found in files
SELECT 1;
