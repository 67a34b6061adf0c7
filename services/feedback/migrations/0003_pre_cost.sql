-- What a day's runs cost, and how many of them nobody knows the price of.
ALTER TABLE usage_by_day ADD COLUMN cost bigint NOT NULL DEFAULT 0;
ALTER TABLE usage_by_day ADD COLUMN unpriced bigint NOT NULL DEFAULT 0;
COMMENT ON COLUMN usage_by_day.cost IS 'in nano-dollars';
