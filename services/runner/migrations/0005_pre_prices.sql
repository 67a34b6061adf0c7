-- What a million tokens of a model cost, in nano-dollars, where the tables of prices are not to say it.
ALTER TABLE models ADD COLUMN price jsonb;
