-- A delivery made again by hand is another delivery of the same event, that names the first.
ALTER TABLE deliveries ADD COLUMN redelivery_of uuid;
CREATE INDEX redeliveries_of_event ON deliveries (event_id) WHERE redelivery_of IS NOT NULL;
