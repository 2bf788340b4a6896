-- Version 2. The cluster whose members these are, or were last.
ALTER TABLE cluster ADD COLUMN name text;
