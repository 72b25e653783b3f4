-- lists of agencies and their changes
SELECT 1;
