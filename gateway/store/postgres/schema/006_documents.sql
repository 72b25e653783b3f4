-- the register of documents
SELECT 1;
